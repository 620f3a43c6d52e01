/// A two-dimensional map of samples, coloured by class.
public struct MapFigure: Sendable {
    public struct Place: Sendable {
        public var x, y: Double
        /// The number of the sample's class; nil without labels.
        public var label: Int?
        /// The number of the sample's picture in ``PictureBook``; nil if it has none.
        public var picture: Int?
        public var name: String

        public init(x: Double, y: Double, label: Int?, picture: Int?, name: String) { (self.x, self.y, self.label, self.picture, self.name) = (x, y, label, picture, name) }
    }

    public var title: String
    public var places: [Place]

    public init(_ title: String, _ places: [Place]) { (self.title, self.places) = (title, places) }

    /// The figure. Both axes have the same scale, so distances are not distorted.
    public var html: HTML {
        guard !places.isEmpty else { return "" }
        let xs = places.map(\.x), ys = places.map(\.y)
        let (left, right, top, bottom) = (xs.min() ?? 0, xs.max() ?? 0, ys.max() ?? 0, ys.min() ?? 0)
        let width = max(right - left, top - bottom, 1e-300), scale = 940 / width
        let marks = places.map { place -> HTML in
            let x = 500 + (place.x - (left + right) / 2) * scale, y = 500 - (place.y - (top + bottom) / 2) * scale, number = place.label ?? 0
            let picture: HTML = place.picture.map { " data-picture=\"\($0)\"" } ?? ""
            return """
                <path class="k\(number)" style="fill:var(--c\(Palette.colour(number)))" d="\(Palette.path(number, x, y, 9))" data-name="\(place.name)"\(picture)/>

                """
        }
        return """
            <figure class="map"><figcaption>\(title)</figcaption>
            <div class="area" tabindex="0" aria-label="\(title): \(places.count) samples; the arrow keys go from one to the next"><svg viewBox="0 0 1000 1000" role="img" aria-label="\(title)">\(marks)</svg>\
            <div class="tip" hidden></div></div></figure>

            """
    }

    /// The class names with their marks. Pressing a class shows only its samples.
    public static func legend(_ classes: [String]) -> HTML {
        let keys = classes.enumerated().map { number, name -> HTML in
            """
            <button type="button" data-class="\(number)" aria-pressed="false"><svg viewBox="0 0 30 30" aria-hidden="true"><path style="fill:var(--c\(Palette.colour(number)))" d="\(Palette.path(number, 15, 15, 10))"/></svg>\(name)</button>
            """
        }
        return "<div class=\"classes\" role=\"group\" aria-label=\"classes\">\(keys)</div>\n"
    }
}

/// A query picture and strips of others beside it, such as its nearest neighbours by each network.
public struct PictureRow: Sendable {
    public struct Picture: Sendable {
        public var picture: Int?
        public var name: String
        /// Whether its class is that of the query; nil if unknown.
        public var isRight: Bool?

        public init(_ picture: Int?, _ name: String, isRight: Bool? = nil) { (self.picture, self.name, self.isRight) = (picture, name, isRight) }

        func html(_ kind: String) -> HTML {
            let verdict: HTML = isRight.map { $0 ? "<b class=\"yes\">✓</b> " : "<b class=\"no\">✗</b> " } ?? ""
            let size: HTML = kind == "query" ? " class=\"big\"" : ""
            return "<span\(size)>\(PictureBook.html(picture, name, kind))\(verdict)\(name)</span>"
        }
    }

    public var query: Picture
    /// The strips, each with a title.
    public var strips: [(title: String, pictures: [Picture])]

    public init(_ query: Picture, _ strips: [(title: String, pictures: [Picture])]) { (self.query, self.strips) = (query, strips) }

    public var html: HTML {
        let sides = strips.map { strip -> HTML in
            let title: HTML = strip.title.isEmpty ? "" : "<small>\(strip.title)</small>"
            return "<div class=\"side\">\(title)<div class=\"strip\">\(strip.pictures.map { $0.html("") })</div></div>"
        }
        return "<div class=\"row\"><div class=\"strip\">\(query.html("query"))</div>\(sides)</div>\n"
    }

    /// A strip of pictures without names, such as views of one image.
    public static func views(_ name: String, _ pictures: [Int?]) -> HTML {
        "<div class=\"strip\">\(pictures.enumerated().map { PictureBook.html($1, "\(name), view \($0 + 1)", "view") })</div>\n"
    }
}

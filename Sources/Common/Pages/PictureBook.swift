public import Images

/// The pictures of a page: each is in it once, small, however often it is shown.
public struct PictureBook: Sendable {
    /// JPEGs in Base64.
    private var pictures: [String] = []
    private var numbers: [String: Int] = [:]
    /// Bytes of the page that they may take; what comes behind is left out.
    private let room: Int
    private var used = 0

    public init(room: Int) { self.room = room }

    /// The number of a picture, by a name that tells it from all others; `make` is asked for it the first time.
    ///
    /// - Returns: nil where it is not to be had, or there is no room left.
    public mutating func add(_ name: String, _ make: () throws -> Image?) throws -> Int? {
        if let known = numbers[name] { return known }
        guard used < room, let image = try make() else { return nil }
        let text = Base64.encode(try JPEG.encode(image, quality: 80))
        guard used + text.utf8.count <= room else { return nil }
        used += text.utf8.count
        numbers[name] = pictures.count
        pictures.append(text)
        return pictures.count - 1
    }

    /// A style for each picture, so that one that is shown ten times is there once.
    var style: HTML {
        let rules = pictures.enumerated().map { number, text -> HTML in ".p\(number){background-image:url(data:image/jpeg;base64,\(text))}\n" }
        return "<style>\n\(rules)</style>\n"
    }

    /// Picture `number` in words too; a box with its name where there is none.
    public static func html(_ number: Int?, _ name: String, _ kind: String = "") -> HTML {
        guard let number else { return "<span class=\"picture none \(kind)\">\(name)</span>" }
        return "<span class=\"picture p\(number) \(kind)\" role=\"img\" aria-label=\"\(name)\" title=\"\(name)\"></span>"
    }
}

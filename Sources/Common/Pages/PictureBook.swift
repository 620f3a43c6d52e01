public import Images

/// The pictures of a page. Each is small and is embedded once, however often it is shown.
public struct PictureBook: Sendable {
    /// Base64-encoded JPEGs.
    private var pictures: [String] = []
    private var numbers: [String: Int] = [:]
    /// The byte limit of all pictures together; pictures beyond it are left out.
    private let room: Int
    private var used = 0

    public init(room: Int) { self.room = room }

    /// The number of the picture with a unique name. The first call for a name creates the picture with `make`.
    ///
    /// - Returns: nil if the picture is not available or does not fit into the limit.
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

    /// One CSS rule per picture, so that a picture that is shown ten times is embedded once.
    var style: HTML {
        let rules = pictures.enumerated().map { number, text -> HTML in ".p\(number){background-image:url(data:image/jpeg;base64,\(text))}\n" }
        return "<style>\n\(rules)</style>\n"
    }

    /// Picture `number` with its name as a text alternative; a box with the name if there is no picture.
    public static func html(_ number: Int?, _ name: String, _ kind: String = "") -> HTML {
        guard let number else { return "<span class=\"picture none \(kind)\">\(name)</span>" }
        return "<span class=\"picture p\(number) \(kind)\" role=\"img\" aria-label=\"\(name)\" title=\"\(name)\"></span>"
    }
}

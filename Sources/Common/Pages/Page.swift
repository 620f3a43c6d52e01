/// A self-contained HTML page: it can be mailed, or opened years later. Equal contents give equal bytes.
public struct Page: Sendable {
    public var title: String
    /// Content below the title, before the first section.
    public var head: HTML = ""
    private var sections: [(anchor: String, title: String, content: HTML)] = []

    public init(_ title: String) { self.title = title }

    /// Adds a section, unless its content is empty.
    ///
    /// - Parameter anchor: letters and digits only.
    public mutating func add(_ anchor: String, _ title: String, _ content: HTML) {
        if content != "" { sections.append((anchor, title, content)) }
    }

    /// The text of the page.
    ///
    /// - Parameter pictures: the pictures that the contents refer to.
    public func html(_ pictures: PictureBook) -> HTML {
        let links = sections.map { "<a href=\"#\($0.anchor)\">\($0.title)</a>\n" as HTML }
        let parts = sections.map { "<section><h2 id=\"\($0.anchor)\">\($0.title)</h2>\n\($0.content)</section>\n" as HTML }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
            <title>\(title)</title>
            <style>
            \(HTML(stringLiteral: PageStyle.css))
            </style>
            \(pictures.style)</head><body>
            <h1>\(title)</h1>
            \(head)<nav aria-label="sections">\(links)</nav>
            <main>\(parts)</main>
            <script>
            \(HTML(stringLiteral: PageScript.javascript))</script>
            </body></html>

            """
    }
}

import ToolSupport

/// A piece of a page. Interpolated strings are escaped; interpolated pieces are inserted unchanged.
///
///     let cell: HTML = "<td>\(name)</td>"
public struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
    public private(set) var text: String

    public init(stringLiteral value: String) { text = value }
    public init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        public init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity) }
        public mutating func appendLiteral(_ literal: String) { text += literal }
        public mutating func appendInterpolation(_ html: HTML) { text += html.text }
        public mutating func appendInterpolation(_ pieces: [HTML]) { for piece in pieces { text += piece.text } }
        /// Untrusted text: class names, paths, settings.
        public mutating func appendInterpolation(_ value: String) { text += HTML.escaped(value) }
        public mutating func appendInterpolation(_ value: Int) { text += "\(value)" }
        /// A number with the given count of decimal places.
        public mutating func appendInterpolation(_ value: Double, _ digits: Int) { text += Progress.fixed(value, digits) }
    }

    /// Escapes text for HTML, also inside double-quoted attributes. Control characters are made visible.
    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.printable.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension HTML {
    /// A table with a header row. The first column is left-aligned, the others right-aligned.
    public static func table(_ titles: [String], _ rows: [[String]]) -> HTML {
        let head = titles.map { "<th scope=\"col\">\($0)</th>" as HTML }
        let body = rows.map { row in
            let cells = row.enumerated().map { $0 == 0 ? "<th scope=\"row\">\($1)</th>" : "<td>\($1)</td>" as HTML }
            return "<tr>\(cells)</tr>\n" as HTML
        }
        return "<div class=\"scroll\"><table><thead><tr>\(head)</tr></thead><tbody>\n\(body)</tbody></table></div>\n"
    }

    /// Content that is collapsed until the reader opens it.
    public static func details(_ title: String, _ content: HTML) -> HTML { "<details><summary>\(title)</summary>\(content)</details>\n" }
}

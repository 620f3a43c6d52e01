extension String {
    /// This text on one line in which every character is visible and none controls the terminal.
    ///
    /// Names in files and on the command line may contain anything. Control characters (escape sequences, line breaks,
    /// those from U+0080 on), direction marks, zero-width characters and unassigned code points are written as numbers,
    /// such as `\u{1b}`.
    public var printable: String {
        if utf8.allSatisfy({ 0x20...0x7E ~= $0 }) { return self }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.isPrintable: text.unicodeScalars.append(scalar)
            default: text += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return text
    }

    /// ``printable``, shortened to `limit` characters by cutting its middle: the end most often says what to do.
    public func printableLine(limit: Int) -> String {
        let scalars = printable.unicodeScalars
        guard scalars.count > limit else { return String(scalars) }
        let end = limit / 3
        return String(scalars.prefix(limit - end - 3)) + " … " + String(scalars.suffix(end))
    }
}

extension Unicode.Scalar {
    /// Whether a terminal shows it without any other effect.
    public var isPrintable: Bool {
        if value < 0x7F { return value >= 0x20 }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
        default: return !properties.isDefaultIgnorableCodePoint
        }
    }
}

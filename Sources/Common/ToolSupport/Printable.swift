extension String {
    /// This text in one line in which every character shows and none acts on a terminal.
    ///
    /// Names in a file and on a command line may hold anything. Controls (escape sequences, line breaks, those from U+0080 on), marks of
    /// direction, characters without width and those that Unicode has not assigned are written by their number, as `\u{1b}`.
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

    /// ``printable``, and where that has more than `limit` characters its beginning and its end, which most often says what to do.
    public func printableLine(limit: Int) -> String {
        let scalars = printable.unicodeScalars
        guard scalars.count > limit else { return String(scalars) }
        let end = limit / 3
        return String(scalars.prefix(limit - end - 3)) + " … " + String(scalars.suffix(end))
    }
}

extension Unicode.Scalar {
    /// Whether a terminal shows it and does nothing else.
    public var isPrintable: Bool {
        if value < 0x7F { return value >= 0x20 }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: return false
        default: return !properties.isDefaultIgnorableCodePoint
        }
    }
}

/// Splits options into words as a shell does: at whitespace, except within quotes and after backslashes. Nothing is
/// expanded or executed.
enum ShellWords {
    /// The value of an option (`--limit`) in `words`, given as the next word or after `=`. The last one counts, as in
    /// the tools' parser.
    static func value(of option: String, in words: [String]) -> String? {
        var value: String?
        for (index, word) in words.enumerated() {
            if word == option, index + 1 < words.count { value = words[index + 1] }
            if word.hasPrefix(option + "=") { value = String(word.dropFirst(option.count + 1)) }
        }
        return value
    }

    /// The words of `text`; nil if a quote is not closed.
    static func split(_ text: String) -> [String]? {
        var words: [String] = []
        var word: String.UnicodeScalarView?
        var quote: Unicode.Scalar?
        var scalars = text.unicodeScalars.makeIterator()
        func add(_ scalar: Unicode.Scalar) { word = (word ?? .init()) + [scalar] }
        while let scalar = scalars.next() {
            switch (scalar, quote) {
            case ("\\", nil), ("\\", "\""):
                guard let next = scalars.next() else { return nil }
                if quote == "\"", !["\"", "\\", "$", "`"].contains(next) { add(scalar) }
                add(next)
            case ("'", nil), ("\"", nil):
                quote = scalar
                word = word ?? .init()
            case (let end, .some(let begin)) where end == begin: quote = nil
            case (" ", nil), ("\t", nil), ("\n", nil):
                if let finished = word { words.append(String(finished)) }
                word = nil
            default: add(scalar)
            }
        }
        guard quote == nil else { return nil }
        if let word { words.append(String(word)) }
        return words
    }
}

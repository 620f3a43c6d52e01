/// The part of a data set in a folder named `train`, `val` or the like.
enum SplitKind: Hashable {
    case train, validation, test

    /// Recognises the words, optionally followed by a number: `train`, `Validation`, `val2017`, `test-2`.
    init?(_ name: some StringProtocol) {
        let word = SplitKind.word(of: name)
        switch word.lowercased() {
        case "train", "training": self = .train
        case "val", "valid", "validation": self = .validation
        case "test", "testing": self = .test
        default: return nil
        }
    }

    /// `train` for `train-003`.
    static func word(of name: some StringProtocol) -> String {
        let scalars = Array(name.unicodeScalars)
        var end = scalars.count
        while end > 0, ("0"..."9").contains(scalars[end - 1]) { end -= 1 }
        if end < scalars.count, end > 0, scalars[end - 1] == "-" || scalars[end - 1] == "_" { end -= 1 }
        var word = String.UnicodeScalarView()
        word.append(contentsOf: scalars[..<end])
        return String(word)
    }
}

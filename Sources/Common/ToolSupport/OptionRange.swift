public import ArgumentParser

/// Checks that an option's value is in `range`; nil, an option not given, is valid.
///
///     try checkOption("--epochs", epochs, in: 1...1_000_000)   // --epochs takes 1 to 1000000, found 0
public func checkOption<Value: Comparable>(_ option: String, _ value: Value?, in range: ClosedRange<Value>) throws {
    guard let value, !range.contains(value) else { return }
    /// "1" rather than "1.0".
    func plain(_ value: Value) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
    throw ValidationError("\(option) takes \(plain(range.lowerBound)) to \(plain(range.upperBound)), found \(plain(value))")
}

/// The error for a name that an option does not have.
///
///     throw unknownName("--protocol", "din", among: names)   // --protocol takes seed, dino, found 'din'; did you mean dino?
public func unknownName(_ option: String, _ found: String, among names: [String]) -> ValidationError {
    ValidationError("\(option) takes \(names.joined(separator: ", ")), found '\(found)'" + (Nearest.name(to: found, among: names).map { "; did you mean \($0)?" } ?? ""))
}

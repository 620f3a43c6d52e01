/// How often a checkpoint is saved: a number of batches, or minutes (10m) or seconds (30s).
public enum CheckpointInterval: Sendable {
    case batches(Int)
    case seconds(Double)

    /// Parses "200", "10m" or "30s"; nil for anything else.
    public init?(_ text: String) {
        let unit: Double? = text.hasSuffix("m") ? 60 : text.hasSuffix("s") ? 1 : nil, digits = unit == nil ? text : String(text.dropLast())
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits), 1...1_000_000_000 ~= number else { return nil }
        self = unit.map { .seconds(Double(number) * $0) } ?? .batches(number)
    }
}

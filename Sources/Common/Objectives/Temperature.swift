/// Whether the mean of a teacher's embeddings is subtracted.
public enum Centring: String, CaseIterable, MethodOptionValue {
    case auto
    case none

    public init?(optionText text: String) { self.init(rawValue: text) }
    public var optionText: String? { rawValue }
}

/// A temperature that is given, or to be estimated.
public enum Temperature: MethodOptionValue, Equatable {
    case auto
    case fixed(Double)

    /// The valid range of an option.
    public static let range = 1e-5...1e3
    /// The teacher's temperature in the paper.
    public static let published = 0.01

    public init?(optionText text: String) {
        if text == "auto" {
            self = .auto
        } else if let value = Double(text) {
            self = .fixed(value)
        } else {
            return nil
        }
    }

    public var optionText: String? {
        switch self {
        case .auto: "auto"
        case .fixed(let value): value.optionText
        }
    }
}

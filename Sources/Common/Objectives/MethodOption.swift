/// A value of a method option: a number or a word, or an optional one where the default depends on more than the
/// option.
public protocol MethodOptionValue: Sendable {
    /// - Returns: nil where the text is not a valid value.
    init?(optionText text: String)
    /// The canonical text of the value; nil for no value.
    var optionText: String? { get }
}

extension Int: MethodOptionValue {
    public init?(optionText text: String) { self.init(text) }
    public var optionText: String? { description }
}

extension Double: MethodOptionValue {
    public init?(optionText text: String) { self.init(text) }
    public var optionText: String? { description }
}

/// `on` or `off`.
extension Bool: MethodOptionValue {
    public init?(optionText text: String) {
        switch text {
        case "on": self = true
        case "off": self = false
        default: return nil
        }
    }
    public var optionText: String? { self ? "on" : "off" }
}

extension Optional: MethodOptionValue where Wrapped: MethodOptionValue {
    public init?(optionText text: String) {
        guard let value = Wrapped(optionText: text) else { return nil }
        self = .some(value)
    }
    public var optionText: String? { self?.optionText }
}

/// The single definition of a method option. The tools, their help and the provenance line all use it.
///
///     static let temperature = MethodOption(
///         "student-temperature", default: 0.2, in: 1e-5...1e3, "The temperature of the student's logits.")
///     …
///     options[temperature]        // the given value, or 0.2
///
/// An option shared by several methods has the same name in each, with a separate default.
public struct MethodOption<Value: MethodOptionValue>: AnyMethodOption {
    public let name: String
    public let help: String
    public let valueName: String?
    public let takes: String
    public let defaultText: String?
    let fallback: Value
    private let isValid: @Sendable (Value) -> Bool

    /// - Parameters:
    ///   - name: without dashes.
    ///   - fallback: the default value.
    ///   - defaultText: describes the default where it is nil: "that of the checkpoint".
    ///   - takes: the valid values, for the error message: "1 to 1000".
    init(
        _ name: String, default fallback: Value, defaultText: String? = nil, takes: String, valueName: String? = nil, _ help: String,
        isValid: @escaping @Sendable (Value) -> Bool
    ) {
        self.name = name
        self.help = help
        self.valueName = valueName
        self.takes = takes
        self.fallback = fallback
        self.defaultText = defaultText ?? fallback.optionText
        self.isValid = isValid
    }

    init(_ name: String, default fallback: Value, in range: ClosedRange<Value>, _ help: String) where Value: Comparable {
        self.init(name, default: fallback, takes: range.optionText, help) { range.contains($0) }
    }

    init<Wrapped: Comparable>(
        _ name: String, default fallback: Value, defaultText: String, in range: ClosedRange<Wrapped>, valueName: String? = nil, _ help: String
    ) where Value == Wrapped? {
        self.init(name, default: fallback, defaultText: defaultText, takes: range.optionText, valueName: valueName, help) { $0.map(range.contains) ?? true }
    }

    init(_ name: String, default fallback: Value, _ help: String) where Value == Bool {
        self.init(name, default: fallback, takes: "on or off", help) { _ in true }
    }

    public func accepts(_ text: String) -> Bool { Value(optionText: text).map(isValid) ?? false }
    public func valueText(_ given: String?) -> String? { (given.flatMap { Value(optionText: $0) } ?? fallback).optionText }
}

extension ClosedRange where Bound: MethodOptionValue {
    /// "1 to 1000".
    fileprivate var optionText: String {
        /// "1" rather than "1.0".
        func plain(_ value: Bound) -> String {
            let text = value.optionText ?? ""
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        }
        return "\(plain(lowerBound)) to \(plain(upperBound))"
    }
}

/// A ``MethodOption`` with any type of value.
public protocol AnyMethodOption: Sendable {
    /// Without dashes.
    var name: String { get }
    /// A sentence.
    var help: String { get }
    /// The placeholder for the value in a command's usage; nil for the option's name.
    var valueName: String? { get }
    /// The valid values: "1 to 1000".
    var takes: String { get }
    /// A description of the default; nil where there is nothing to say.
    var defaultText: String? { get }
    func accepts(_ text: String) -> Bool
    /// The canonical text of `given`, or of the default; nil where neither is known.
    func valueText(_ given: String?) -> String?
}

/// The method options that were given.
public struct MethodOptions: Sendable {
    private var texts: [String: String]

    /// - Parameter texts: texts by option name; each must be accepted by its option.
    public init(_ texts: [String: String] = [:]) { self.texts = texts }

    /// The given value, or the default.
    public subscript<Value>(option: MethodOption<Value>) -> Value { texts[option.name].flatMap { Value(optionText: $0) } ?? option.fallback }

    /// A copy with another value of an option.
    func setting<Value>(_ option: MethodOption<Value>, _ text: String) -> MethodOptions {
        var options = self
        options.texts[option.name] = text
        return options
    }

    /// The text given for the option of this name.
    public func text(_ name: String) -> String? { texts[name] }
}

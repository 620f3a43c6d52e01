/// What an option of a method may be: a number or a word, and an optional one where its default depends on more than the option.
public protocol MethodOptionValue: Sendable {
    /// - Returns: nil where the text is no such value.
    init?(optionText text: String)
    /// In one way of writing; nil for no value.
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

/// On or off.
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

/// An option of a method, said once: the tools take it from here, and so do their help and the line of provenance.
///
///     static let temperature = MethodOption("student-temperature", default: 0.2, in: 1e-5...1e3, "The temperature of the student's logits.")
///     …
///     options[temperature]        // what was given, or 0.2
///
/// Methods that have an option in common call it by one name; each has a default of its own.
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
    ///   - fallback: the value where none is given.
    ///   - defaultText: tells of it where that is nil: "that of the checkpoint".
    ///   - takes: what it may be, for the error: "1 to 1000".
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

/// A ``MethodOption`` of any kind of value.
public protocol AnyMethodOption: Sendable {
    /// Without dashes.
    var name: String { get }
    /// A sentence.
    var help: String { get }
    /// What stands for the value in a command's usage; nil for the option's name.
    var valueName: String? { get }
    /// What it may be: "1 to 1000".
    var takes: String { get }
    /// What it is where it is not given, in words; nil where there is nothing to say.
    var defaultText: String? { get }
    func accepts(_ text: String) -> Bool
    /// The value that `given` stands for, else the default, in one way of writing; nil where neither is known.
    func valueText(_ given: String?) -> String?
}

/// The options of a method that were given.
public struct MethodOptions: Sendable {
    private var texts: [String: String]

    /// - Parameter texts: by the options' names; each is one that its option accepts.
    public init(_ texts: [String: String] = [:]) { self.texts = texts }

    /// What was given, or the default.
    public subscript<Value>(option: MethodOption<Value>) -> Value { texts[option.name].flatMap { Value(optionText: $0) } ?? option.fallback }

    /// The same with another value of an option.
    func setting<Value>(_ option: MethodOption<Value>, _ text: String) -> MethodOptions {
        var options = self
        options.texts[option.name] = text
        return options
    }

    /// What was given for the option of this name.
    public func text(_ name: String) -> String? { texts[name] }
}

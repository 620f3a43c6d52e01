public import ArgumentParser
public import Objectives
import ToolSupport

/// The methods, and the options of each, that a command accepts.
public protocol MethodSelection {
    static var methods: [any Objective.Type] { get }
    static func options(_ method: any Objective.Type) -> [any AnyMethodOption]
}

/// All methods of `train-step`.
public enum AllMethods: MethodSelection {
    public static var methods: [any Objective.Type] { Methods.all }
    public static func options(_ method: any Objective.Type) -> [any AnyMethodOption] { method.options }
}

/// The methods whose loss `queue-loss` computes.
public enum PairMethods: MethodSelection {
    public static var methods: [any Objective.Type] { Methods.pairs }
    public static func options(_ method: any Objective.Type) -> [any AnyMethodOption] { (method as? any PairObjective.Type)?.lossOptions ?? [] }
}

/// `--objective` and the options of all methods, as declared by the methods.
///
/// The argument parser finds a command's options by reflection, through ``customMirror``. Therefore usage, help,
/// completions and manuals include the options of a new method automatically.
public struct MethodArguments<Selection: MethodSelection>: ParsableArguments, CustomReflectable {
    private var name = SEED.name
    /// The given texts, by option name.
    private var texts: [String: String] = [:]

    public init() {}

    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private static var objectiveName: String { "objective" }

    /// All options by name, each with the methods that have it.
    private static var options: [(option: any AnyMethodOption, methods: [any Objective.Type])] {
        var all: [(option: any AnyMethodOption, methods: [any Objective.Type])] = []
        for method in Selection.methods {
            for option in Selection.options(method) {
                if let index = all.firstIndex(where: { $0.option.name == option.name }) {
                    all[index].methods.append(method)
                } else {
                    all.append((option, [method]))
                }
            }
        }
        return all
    }

    public var customMirror: Mirror {
        let names = Selection.methods.map { $0.name }
        let summaries = Selection.methods.map { "\($0.name) (\($0.summary))" }.joined(separator: "; ")
        let objective = Option<String>(
            wrappedValue: SEED.name, name: .customLong(Self.objectiveName), help: "The method: \(summaries).", completion: .list(names))
        let others = Self.options.map { option, methods in
            let option = Option<String?>(
                name: .customLong(option.name), parsing: .unconditional, help: ArgumentHelp(Self.help(option, methods), valueName: option.valueName ?? option.name))
            return option as Any
        }
        return Mirror(self, children: zip([Self.objectiveName] + Self.options.map { $0.option.name }, [objective as Any] + others).map { ($0, $1) })
    }

    /// The help text: "Rows in the queue (with seed, moco-v2; default: …)."
    private static func help(_ option: any AnyMethodOption, _ methods: [any Objective.Type]) -> String {
        let own = { (method: any Objective.Type) in Selection.options(method).first { $0.name == option.name }?.defaultText }
        let isGeneral = methods.count == Selection.methods.count
        var parts = isGeneral ? [] : ["with " + methods.map { $0.name }.joined(separator: ", ")]
        if let usual = own(methods[0]) {
            let others = methods.dropFirst().filter { own($0) != usual }.map { "with \($0.name) \(own($0) ?? "none")" }
            parts.append((["default: \(usual)"] + others).joined(separator: "; "))
        }
        let text = option.help.hasSuffix(".") ? String(option.help.dropLast()) : option.help
        return parts.isEmpty ? text + "." : "\(text) (\(parts.joined(separator: "; ")))."
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        name = try container.decode(Option<String>.self, forKey: Key(stringValue: Self.objectiveName)).wrappedValue
        for (option, _) in Self.options {
            if let text = try container.decode(Option<String?>.self, forKey: Key(stringValue: option.name)).wrappedValue { texts[option.name] = text }
        }
    }

    public func validate() throws {
        guard let method = Methods.named(name), Selection.methods.contains(where: { $0.name == name }) else {
            throw unknownName("--\(Self.objectiveName)", name, among: Selection.methods.map { $0.name })
        }
        for (option, _) in Self.options {
            guard let text = texts[option.name] else { continue }
            guard let own = Selection.options(method).first(where: { $0.name == option.name }) else {
                throw ValidationError("--\(option.name) is of no use to \(name); leave it out")
            }
            guard own.accepts(text) else { throw ValidationError("--\(option.name) takes \(own.takes), found \(text)") }
        }
        if let conflict = method.conflict(options) { throw ValidationError(conflict) }
    }

    /// The method; valid only after ``validate()``.
    public var method: any Objective.Type { Methods.named(name) ?? SEED.self }
    public var options: MethodOptions { MethodOptions(texts) }
    /// The first of these options that was given.
    public func given(_ among: [any AnyMethodOption]) -> String? { among.first { texts[$0.name] != nil }.map { "--" + $0.name } }
}

public import ToolSupport

/// The origin of a stream or a checkpoint: one line for each tool that it went through, in order.
///
///     augment 0.1.0 --data train.tar --epoch 3 --seed 0
///     embed 0.1.0 --weights teacher.safetensors
///
/// Equal work gives equal lines, on every machine: no time, no host, and of a path only its last component. Input
/// streams and checkpoints have their own lines, so their names are left out: piped or stored, the same work gives the
/// same bytes.
public struct Provenance: Sendable, Equatable {
    public var lines: [String]

    public init(lines: [String] = []) { self.lines = lines }

    /// Parses the lines from one string, the form in `__metadata__`.
    public init(text: String) {
        lines = text.parts("\n").filter { !$0.isEmpty }
    }

    public var text: String { lines.joined(separator: "\n") }

    /// Options that are left out of a line together with their values: output paths, settings of speed and compression,
    /// and inputs with their own lines.
    private static let omitted: Set<String> = [
        "--threads", "--recompute", "-q", "--quiet", "--profile", "--timing", "--level",
        "-o", "--output", "--log", "--log-interval", "--loss-timeout", "--command-timeout", "--sheet", "--report",
        "--student", "--from", "--queue", "--rows", "--keep", "--resume", "--interim", "--checkpoint-every",
        "--shard", "--slice", "--slice-groups", "--mpi", "--rank-timeout", "--allow-mixed",
    ]
    /// Options whose value is a command, in which each word may be a path.
    private static let commands: Set<String> = ["--loss", "--command"]
    /// The option whose value is a list of crop groups, in each of which a recipe's path may follow a colon.
    private static let crops = "--crops"

    /// Adds a line for the running tool, with its version and those of its arguments that determine the output.
    public func adding<Program: Tool>(_ tool: Program.Type) -> Provenance {
        adding(tool: Program.programName, arguments: Provenance.arguments(of: tool))
    }

    /// The arguments of the running tool, without input files and omitted options; `--name=value` becomes two words.
    public static func arguments<Program: Tool>(of tool: Program.Type, _ words: [String] = commandLine) -> [String] {
        let flags = flags(of: tool)
        var arguments: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" { break }
            guard word.hasPrefix("-"), word != OutputFile.standard else { continue }
            let parts = word.parts("=", most: 2)
            if parts.count == 2 {
                arguments += parts
            } else if flags.contains(word) {
                arguments.append(word)
            } else if let value = rest.popFirst() {
                arguments += [word, value]
            }
            if let name = arguments.dropLast(flags.contains(word) ? 0 : 1).last, omitted.contains(name) { arguments.removeLast(flags.contains(word) ? 1 : 2) }
        }
        return arguments
    }

    /// The tool's options that take no value, from its declaration.
    private static func flags<Program: Tool>(of tool: Program.Type) -> Set<String> {
        guard let help = try? JSON(parsing: Program.declaration), let arguments = help["command"]?["arguments"]?.asArray else { return [] }
        let names = arguments.filter { $0["kind"]?.asString == "flag" }.flatMap { $0["names"]?.asArray ?? [] }
        return Set(names.compactMap { name in
            name["name"]?.asString.map { (name["kind"]?.asString == "long" ? "--" : "-") + $0 }
        })
    }

    /// Adds a line for `tool`, with its version and `arguments`.
    public func adding(tool: String, arguments: [String]) -> Provenance {
        var words = [tool, productVersion]
        var option = ""
        for argument in arguments {
            let plain = option == Provenance.crops ? Provenance.cropsWithoutFolders(argument) : Provenance.withoutFolders(argument, isCommand: Provenance.commands.contains(option))
            words.append(Provenance.quoted(plain))
            option = argument
        }
        return Provenance(lines: lines + [words.joined(separator: " ")])
    }

    /// Reduces a path to its last component, and likewise every path among the words of a command. `1/4` stays: it is a
    /// shard.
    private static func withoutFolders(_ argument: String, isCommand: Bool) -> String {
        guard isCommand else { return lastPart(argument) }
        // Within quotes, a space is part of a path.
        var quote: Unicode.Scalar?
        let words = argument.unicodeScalars.split(omittingEmptySubsequences: false) { scalar in
            if scalar == quote { quote = nil } else if quote == nil, scalar == "'" || scalar == "\"" { quote = scalar }
            return quote == nil && scalar == " "
        }
        return words.map { lastPart(String($0)) }.joined(separator: " ")
    }

    private static func cropsWithoutFolders(_ crops: String) -> String {
        crops.parts(" ").map { group in
            let parts = group.parts(":", most: 2)
            return parts.count == 2 ? parts[0] + ":" + lastPart(parts[1]) : group
        }.joined(separator: " ")
    }

    private static func lastPart(_ word: String) -> String {
        guard word.utf8.contains(UInt8(ascii: "/")) else { return word }
        let parts = word.parts("/").filter { !$0.isEmpty }
        if !word.hasPrefix("/"), parts.allSatisfy({ $0.allSatisfy(\.isNumber) }) { return word }
        // The shell numbers its `<(…)`, and the number varies from run to run.
        if parts.count >= 2, parts[parts.count - 2] == "fd" { return "fd" }
        return parts.last ?? "/"
    }

    private static func quoted(_ word: String) -> String {
        let line = String(String.UnicodeScalarView(word.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
        return line.isEmpty || line.contains(" ") ? "'\(line)'" : line
    }
}

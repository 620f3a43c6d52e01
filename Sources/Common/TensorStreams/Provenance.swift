import ToolSupport

/// How a stream or a checkpoint came to be: one line for each tool it went through, the first one first.
///
///     augment 0.1.0 --data train.tar --epoch 3 --seed 0
///     embed 0.1.0 --weights teacher.safetensors
///
/// Equal work gives equal lines, whoever does it wherever: no time, no host, and of a path only its last part.
public struct Provenance: Sendable, Equatable {
    public var lines: [String]

    public init(lines: [String] = []) { self.lines = lines }

    /// The lines in one string, as `__metadata__` holds them.
    public init(text: String) {
        lines = text.split(separator: "\n").map(String.init)
    }

    public var text: String { lines.joined(separator: "\n") }

    /// Options that say where results go and how fast, not what they are: outputs must not depend on them.
    private static let left: Set<String> = ["--threads", "-o", "--output", "--log", "--timing"]
    private static let leftFlags: Set<String> = ["-q", "--quiet", "--profile"]

    /// This and a line of `tool`, with its version and its arguments (those after the program's name).
    ///
    /// Left out are `--threads`, `--output`, `--log`, `--timing`, `--quiet`, `--profile` and their values, for outputs do not depend on them.
    public func adding(tool: String, arguments: [String]) -> Provenance {
        var words = [tool, productVersion]
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if Provenance.leftFlags.contains(argument) { continue }
            if Provenance.left.contains(argument) {
                rest = rest.dropFirst()
                continue
            }
            if let equals = argument.firstIndex(of: "="), argument.hasPrefix("-") {
                let option = String(argument[..<equals])
                if Provenance.left.contains(option) { continue }
                words.append(Provenance.quoted(option + "=" + Provenance.withoutFolders(argument[argument.index(after: equals)...])))
            } else {
                words.append(Provenance.quoted(Provenance.withoutFolders(argument[...])))
            }
        }
        return Provenance(lines: lines + [words.joined(separator: " ")])
    }

    /// Every path among the words of `argument` reduced to its last part. `1/4` stays: it is a shard.
    private static func withoutFolders(_ argument: Substring) -> String {
        argument.split(separator: " ", omittingEmptySubsequences: false).map { word in
            guard word.contains("/") else { return String(word) }
            let parts = word.split(separator: "/")
            if !word.hasPrefix("/"), parts.allSatisfy({ $0.allSatisfy(\.isNumber) }) { return String(word) }
            // The shell numbers its `<(…)`: another run, another number.
            if parts.count >= 2, parts[parts.count - 2] == "fd" { return "fd" }
            return parts.last.map(String.init) ?? "/"
        }.joined(separator: " ")
    }

    private static func quoted(_ word: String) -> String {
        let line = String(String.UnicodeScalarView(word.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
        return line.isEmpty || line.contains(" ") ? "'\(line)'" : line
    }
}

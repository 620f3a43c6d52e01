/// A file of arguments, one a line: `train-step @options/student.train` takes each line of the file as an argument.
///
/// Empty lines are passed over, and a line is taken as it stands: nothing in it is quoted, expanded or read as another file. A file whose own name
/// begins with `@` is written `./@name` on a command line.
public enum ArgumentFile {
    /// More than any tool's options have.
    private static let limit = 1 << 20

    /// `arguments` with each `@FILE` replaced by the file's lines.
    ///
    /// - Throws: a ``Failure``: `noInput` where the file cannot be read, `usage` where it is too large or not UTF-8.
    public static func expand(_ arguments: some Sequence<String>) throws -> [String] {
        try arguments.flatMap { argument in
            argument.hasPrefix("@") && argument.count > 1 ? try lines(of: String(argument.dropFirst())) : [argument]
        }
    }

    /// The arguments in the file at `path`.
    public static func lines(of path: String) throws -> [String] {
        let bytes = try SmallFile.bytes(path, limit: limit, name: "@\(path)", of: "a file of arguments", tooLarge: .usage)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure(.usage, path: "@\(path)", "is not UTF-8, as arguments are") }
        // On scalars: a carriage return before the newline would make both one character.
        return text.unicodeScalars.split(separator: "\n").map { String($0) }
    }
}

/// Read once: an `@FILE` may be a pipe.
private let expandedWords = Result { try ArgumentFile.expand(CommandLine.arguments.dropFirst()) }

extension ArgumentFile {
    /// The words this tool was called with, after its name, with every file of arguments in its place.
    ///
    /// - Throws: what ``expand(_:)`` throws.
    static func commandLine() throws -> [String] { try expandedWords.get() }
}

/// The words this tool was called with, after its name, with every ``ArgumentFile`` in its place; for provenance.
public var commandLine: [String] { (try? expandedWords.get()) ?? [] }

/// A file of arguments, one per line: `train-step @options/student.train` takes each line of the file as an argument.
///
/// Empty lines are skipped, and each line is taken literally: without quoting, expansion or nested files. A file whose
/// own name begins with `@` is written `./@name` on a command line.
public enum ArgumentFile {
    /// Larger than any tool's options.
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
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure(.usage, path: "@\(path)", "is not UTF-8, as arguments must be") }
        // Splits scalars, because a carriage return and a newline form one character.
        return text.unicodeScalars.split(separator: "\n").map { String($0) }
    }
}

/// Read once, because an `@FILE` may be a pipe.
private let expandedWords = Result { try ArgumentFile.expand(CommandLine.arguments.dropFirst()) }

extension ArgumentFile {
    /// The words that this tool was called with, after its name, with argument files expanded.
    ///
    /// - Throws: the errors of ``expand(_:)``.
    static func commandLine() throws -> [String] { try expandedWords.get() }
}

/// The words that this tool was called with, after its name, with every ``ArgumentFile`` expanded; for provenance.
public var commandLine: [String] { (try? expandedWords.get()) ?? [] }

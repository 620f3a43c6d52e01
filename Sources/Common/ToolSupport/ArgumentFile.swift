#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

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
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure.errno(.noInput, path: "@\(path)", "cannot open the file of arguments") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure.errno(.io, path: "@\(path)", "cannot read the file of arguments") }
            guard count > 0 else { break }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw Failure(.usage, path: "@\(path)", "has more than \(limit >> 20) MiB, which no arguments have") }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Failure(.usage, path: "@\(path)", "is not UTF-8, as arguments are") }
        // On scalars: a carriage return before the newline would make both one character.
        return text.unicodeScalars.split(separator: "\n").map { String($0) }
    }
}

/// The words this tool was called with, after its name, with every ``ArgumentFile`` in its place; for provenance.
public var commandLine: [String] { (try? ArgumentFile.expand(CommandLine.arguments.dropFirst())) ?? [] }

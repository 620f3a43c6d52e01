public import ArgumentParser
import CProcess
import Platform

/// A command-line tool of the pipeline.
///
/// A tool's `run()` throws a ``Failure`` to stop. The failure's text goes to
/// standard error after the tool's name, and its kind is the exit status.
///
/// An argument `@FILE` stands for the lines of that file (``ArgumentFile``). `TOOL --check-options …` looks at the options and does nothing
/// else: status 0, or 64 with what is wrong with them.
public protocol Tool: ParsableCommand {}

extension Tool {
    public static func main() {
        // These would end us before the unfinished output is removed; the write's EPIPE and EFBIG say the same.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        // Where whoever started us ignores it, nobody could tell how what we start has ended.
        signal(SIGCHLD, SIG_DFL)
        fillStandardDescriptors()
        UnfinishedFiles.watchSignals()
        do {
            try perform(ArgumentFile.commandLine())
        } catch let failure as Failure {
            if failure.kind != .closedPipe { StandardError.write(line: "\(_commandName): \(failure.description)", length: failure.length) }
            Platform.exit(failure.kind.rawValue)
        } catch {
            // A status alone has been told already.
            let message = message(for: error)
            if !message.isEmpty { log("\(message); see '\(_commandName) --help'") }
            Platform.exit(exitCode(for: error).rawValue)
        }
    }

    /// Does what the command line asks for: the work, a look at its options, or a text.
    private static func perform(_ arguments: [String]) throws {
        let onlyChecks = arguments.first == "--check-options"
        do {
            var tool = try parseAsRoot(onlyChecks ? Array(arguments.dropFirst()) : arguments)
            if !onlyChecks { try tool.run() }
        } catch where !(error is Failure) && exitCode(for: error).isSuccess {
            guard !onlyChecks else { throw Failure(.usage, "asks for help or the version, which leaves nothing to do") }
            try OutputFile.write(fullMessage(for: error) + "\n", to: OutputFile.standard)
        }
    }

    /// The tool's name, as it is typed.
    public static var programName: String { _commandName }

    /// What the tool's options and arguments are called and which of them take a value, as ArgumentParser's JSON.
    public static var declaration: String { _dumpHelp() }

    /// Sees to it that no file gets the number of a standard stream that was closed (`tool >&-`), and with it what is meant for that
    /// stream. Reading or writing it stays an error.
    private static func fillStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest number that is free.
            _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Writes one line to standard error, after the tool's name; on a terminal it takes the place of the running line of ``Progress``.
    ///
    /// What the message quotes from files and options is escaped, and its middle left out where it is too long.
    public static func log(_ message: String) { StandardError.write(line: "\(_commandName): \(message)") }

    /// Writes a table of our own making, whose line breaks are meant.
    public static func logTable(_ table: String) {
        for line in "\(_commandName): \(table)".split(separator: "\n", omittingEmptySubsequences: false) { StandardError.write(line: String(line)) }
    }
}

/// Ends the tool as a thrown ``Failure`` would, from where nothing can be thrown: memory that is short, mostly. From any thread.
public func stop(_ failure: Failure) -> Never {
    let tool = CommandLine.arguments.first?.lastPathPart ?? "seed"
    StandardError.write(line: "\(tool): \(failure.description)", length: failure.length)
    seed_end(failure.kind.rawValue)
}

/// The version that every tool and every provenance line names.
public let productVersion = "0.1.0"

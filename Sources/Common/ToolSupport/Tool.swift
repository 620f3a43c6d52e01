public import ArgumentParser

#if canImport(Glibc)
import Glibc
#endif

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
        // SIGPIPE would end us before the unfinished output is removed; the write's EPIPE says the same.
        signal(SIGPIPE, SIG_IGN)
        fillStandardDescriptors()
        UnfinishedFiles.watchSignals()
        do {
            var arguments = try ArgumentFile.expand(CommandLine.arguments.dropFirst())
            let onlyChecks = arguments.first == "--check-options"
            if onlyChecks { arguments.removeFirst() }
            var tool = try parseAsRoot(arguments)
            if onlyChecks { return }
            try tool.run()
        } catch let failure as Failure {
            if failure.kind != .closedPipe { log(failure.description) }
            Glibc.exit(failure.kind.rawValue)
        } catch {
            let status = exitCode(for: error)
            if status.isSuccess { exit(withError: error) }  // --help, --version
            log("\(message(for: error)); see '\(_commandName) --help'")
            Glibc.exit(status.rawValue)
        }
    }

    /// Sees to it that no file gets the number of a standard stream that was closed (`tool >&-`), and with it what is meant for that
    /// stream. Reading or writing it stays an error.
    private static func fillStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest number that is free.
            _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// Writes one line to standard error, after the tool's name; on a terminal it takes the place of the running line of ``Progress``.
    public static func log(_ message: String) {
        var line = (isatty(STDERR_FILENO) == 1 ? "\r\u{1B}[K" : "") + "\(_commandName): \(message)\n"
        line.withUTF8 { bytes in _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }
}

/// Ends the tool as a thrown ``Failure`` would, from where nothing can be thrown: memory that is short, mostly.
public func stop(_ failure: Failure) -> Never {
    let tool = CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "seed"
    var line = "\(tool): \(failure.description)\n"
    line.withUTF8 { bytes in _ = unsafe write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    Glibc.exit(failure.kind.rawValue)
}

/// The version that every tool and every provenance line names.
public let productVersion = "0.1.0"

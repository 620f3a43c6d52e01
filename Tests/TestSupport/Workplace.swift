public import Foundation
import Platform
public import TensorStreams
import ToolSupport

/// A folder for one test, in which it runs the built tools from outside.
public final class Workplace {
    /// The folder of the project's Makefile.
    public static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized.path

    /// Whether a process has a handler for a signal.
    public static func catches(_ signal: Int32, _ process: pid_t) -> Bool {
        let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
        let mask = status.split(separator: "\n").first { $0.hasPrefix("SigCgt:") }.flatMap { UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) }
        return mask.map { $0 >> UInt64(signal - 1) & 1 == 1 } ?? false
    }

    public let folder: URL
    private var started: [ProcessGroup] = []

    public init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "seed-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// Ends and reaps the processes still running here and removes the folder, even if a test has failed.
    ///
    /// No zombie may stay: the thread in which swift-testing waits for exit tests would find it again and again and
    /// wait for nothing else.
    deinit {
        // Repeated, because a process killed just now may have started another, or written a file.
        _ = waitUntil(seconds: 10) {
            let left = started.isEmpty ? [] : ProcessState.all.filter { $0.isAlive && $0.has("HOME=\(folder.path)") }
            for process in left { kill(process.id, SIGKILL) }
            try? FileManager.default.removeItem(at: folder)
            return left.isEmpty && !FileManager.default.fileExists(atPath: folder.path)
        }
        for group in started { _ = group.wait(seconds: 10) }
    }

    /// The folder of the built tools, beside this test program.
    public static let tools = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    public func path(_ name: String) -> String { folder.appending(path: name).path }
    public func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }
    public func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }
    public func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// Everything below `name`, in order, except the files of ``run(_:)``.
    public func contents(_ name: String = ".") throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path(name)).filter { $0 != ".output" && $0 != ".error" }.sorted()
    }

    /// Whether a tool has left an unfinished file here.
    public var hasUnfinished: Bool { (try? contents().contains { $0.hasSuffix(".part") }) ?? true }

    public func write(_ bytes: Data, to name: String) throws {
        let file = folder.appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try bytes.write(to: file)
    }

    public func write(_ text: String, to name: String) throws { try write(Data(text.utf8), to: name) }

    /// The end of a line of bash: its exit status (128 + n if signal n ended it) and its output.
    public struct Result: Sendable {
        public let status: Int32
        public let output: String
        public let error: String
        /// The lines of standard error.
        public var lines: [Substring] { error.split(separator: "\n") }
    }

    /// Runs a line of bash, with the tools on the PATH, with pipefail and an empty standard input.
    @discardableResult
    public func run(_ line: String) throws -> Result {
        let group = try start(line)
        let status = group.wait()
        return Result(status: status, output: try text(".output"), error: try text(".error"))
    }

    /// Whether a line of bash ends with 0 here, such as one that checks whether a program is installed.
    public static func runs(_ line: String) -> Bool { (try? Workplace().run(line).status) == 0 }

    /// Runs a line whose commands must all succeed.
    public func perform(_ line: String) throws {
        let result = try run("set -e; \(line)")
        guard result.status == 0 else { throw Failure(.software, "\(line): ended with \(result.status): \(result.error)") }
    }

    /// Starts a line of bash as ``run(_:)`` does, in its own process group.
    ///
    /// Its output goes to files: the end of a pipe would be inherited by processes that other tests start at the same
    /// moment. Foundation's `Process` is not used, because it passes on the blocked signals of the test's thread.
    public func start(_ line: String) throws -> ProcessGroup {
        let environment = ["PATH=\(Workplace.tools.path):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")", "LC_ALL=C", "HOME=\(folder.path)"]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, path(".output"), O_WRONLY | O_CREAT | O_TRUNC, 0o666)
        posix_spawn_file_actions_addopen(&actions, 2, path(".error"), O_WRONLY | O_CREAT | O_TRUNC, 0o666)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        // The shell gets its working folder as first argument: glibc's call for that is not available in Swift.
        let words = ["bash", "-c", "cd \"$0\"; set -o pipefail; \(line)", folder.path]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { (word: String) in strdup(word) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { (variable: String) in strdup(variable) } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var process = pid_t()
        let status = posix_spawn(&process, "/bin/bash", &actions, &attributes, &arguments, &variables)
        guard status == 0 else { throw POSIXError(POSIXErrorCode(rawValue: status) ?? .EIO) }
        let group = ProcessGroup(leader: process)
        started.append(group)
        return group
    }

    /// The header and all records of a stream.
    public func read(_ name: String) throws -> (header: StreamHeader, records: [TensorDocument]) {
        let reader = try StreamReader(path(name))
        var records = [TensorDocument]()
        while let record = try reader.next() { records.append(record) }
        return (reader.header, records)
    }
}

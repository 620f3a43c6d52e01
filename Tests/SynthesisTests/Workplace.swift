import Foundation

/// An empty folder for one test, and the tool run from outside there.
final class Workplace {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "synthesize-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

    /// Everything below `name`, in order.
    func contents(_ name: String) throws -> [String] { try FileManager.default.subpathsOfDirectory(atPath: path(name)).sorted() }

    struct Result {
        let status: Int32
        let output: String
        let error: String
    }

    /// Runs a line of bash in the folder, in which `synthesize` is the built tool, which lies beside this test program.
    @discardableResult
    func run(_ line: String) throws -> Result {
        let tools = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", "set -o pipefail; { \(line)\n} 2> .error > .output"]
        process.currentDirectoryURL = folder
        process.environment = ["PATH": tools + ":/usr/bin:/bin"]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }
        return Result(status: process.terminationStatus, output: try text(".output"), error: try text(".error"))
    }

    /// The members of all tar files in `name`, in the order of the files, read by tar.
    func members(_ name: String) throws -> [(name: String, bytes: Data)] {
        let list = try run("for f in \(name)/*.tar; do tar tf $f; done").output.split(separator: "\n").map(String.init)
        try run("mkdir unpacked; for f in \(name)/*.tar; do tar xf $f -C unpacked; done")
        defer { try? FileManager.default.removeItem(atPath: path("unpacked")) }
        return try list.map { ($0, try bytes("unpacked/\($0)")) }
    }
}

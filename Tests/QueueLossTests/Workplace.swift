import Foundation
import Objectives
import TensorStreams
import Testing

/// A folder for one test, and the tool run from outside in it.
final class Workplace {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "queue-loss-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }
    func write(_ bytes: Data, to name: String) throws { try bytes.write(to: folder.appending(path: name)) }

    /// The built tool, which lies beside this test program.
    static var tool: URL { URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "queue-loss") }

    struct Result {
        let status: Int32
        let error: String
    }

    /// Runs a line of bash in the folder, in which `queue-loss` is the tool.
    func run(_ line: String) throws -> Result {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", "set -o pipefail; \(line)"]
        process.currentDirectoryURL = folder
        process.environment = ["PATH": Workplace.tool.deletingLastPathComponent().path + ":/usr/bin:/bin"]
        let error = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = error
        try process.run()
        let text = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(status: process.terminationStatus, error: String(decoding: text, as: UTF8.self))
    }

    /// Writes a stream of batches of student and teacher rows, of which the teacher's are near the student's.
    @discardableResult
    func stream(
        _ name: String, batches: Range<Int> = 0..<3, N: Int = 8, D: Int = 16, metadata: [String: String] = [:],
        first: TensorDocument? = nil, change: (Int, inout TensorDocument) -> Void = { _, _ in }
    ) throws -> [TensorDocument] {
        let header = StreamHeader(provenance: Provenance(lines: ["embed 0.1.0 --seed 3"]), metadata: metadata)
        let writer = try StreamWriter(path(name), header: header)
        if let first { try writer.write(first) }
        var records = [TensorDocument]()
        for batch in batches {
            let rows = { (seed: Int) in EmbeddingQueue(capacity: N, dimension: D, seed: UInt64(seed)).rows }
            var record = TensorDocument(
                metadata: ["epoch": "2", "step": "\(batch)"],
                tensors: ["student": Tensor(f32: rows(batch), shape: [N, D]), "teacher": Tensor(f32: rows(batch + 1000), shape: [N, D])])
            change(batch, &record)
            try writer.write(record)
            records.append(record)
        }
        try writer.commit()
        return records
    }

    func read(_ name: String) throws -> (header: StreamHeader, records: [TensorDocument]) {
        let reader = try StreamReader(path(name))
        var records = [TensorDocument]()
        while let record = try reader.next() { records.append(record) }
        return (reader.header, records)
    }
}

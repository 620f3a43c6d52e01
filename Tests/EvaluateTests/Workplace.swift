import Foundation
import TensorStreams

/// A folder for one test, and the tool run from outside in it.
final class Workplace {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "evaluate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func bytes(_ name: String) throws -> Data { try Data(contentsOf: folder.appending(path: name)) }
    func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }
    /// Whether an unfinished output lies about, whatever its number.
    var hasUnfinished: Bool {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else { return true }
        return names.contains { $0.hasSuffix(".part") }
    }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }
    func write(_ text: String, to name: String) throws { try write(Data(text.utf8), to: name) }
    func write(_ bytes: Data, to name: String) throws { try bytes.write(to: folder.appending(path: name)) }

    struct Result {
        let status: Int32
        let output: String
        let error: String
    }

    /// Runs a line of bash in the folder, in which `evaluate` is the built tool: it lies beside this test program.
    func run(_ line: String) throws -> Result {
        let tools = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", "set -o pipefail; { \(line)\n} > .output 2> .error"]
        process.currentDirectoryURL = folder
        process.environment = ["PATH": tools.path + ":/usr/bin:/bin"]
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: try text(".output"), error: try text(".error"))
    }

    /// Writes a stream of samples whose class shows in their features, more or less: class c leans to dimension c.
    func stream(
        _ name: String, samples: Int = 60, record: Int = 16, dimension: Int = 8, classes: [String]? = ["ant", "bee", "cat"],
        seed: Int = 1, change: (Int, inout TensorDocument) -> Void = { _, _ in }, label: (Int) -> Int32 = { Int32($0 % 3) }
    ) throws {
        var metadata = ["dimension": "\(dimension)"]
        if let classes { metadata["classes"] = JSON.array(classes.map { .string($0) }).text }
        let header = StreamHeader(provenance: Provenance(lines: ["augment 0.1.0 --data d.tar --seed \(seed)", "embed 0.1.0"]), metadata: metadata)
        let writer = try StreamWriter(path(name), header: header)
        var state = UInt64(seed)
        func noise() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / Float(1 << 24) - 0.5
        }
        for (number, start) in stride(from: 0, to: samples, by: record).enumerated() {
            let items = Array(start..<min(samples, start + record))
            let labels = items.map(label)
            let features = labels.flatMap { label in (0..<dimension).map { noise() * 3 + ($0 == Int(label) ? 2 : 0) } }
            var document = TensorDocument(tensors: [
                "features": Tensor(f32: features, shape: [items.count, dimension]), "label": Tensor(i32: labels, shape: [items.count]),
                "index": Tensor(i64: items.map(Int64.init), shape: [items.count]),
            ])
            change(number, &document)
            try writer.write(document)
        }
        try writer.commit()
    }
}

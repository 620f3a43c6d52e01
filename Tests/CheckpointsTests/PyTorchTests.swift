import Checkpoints
import Foundation
import Kernels
import Networks
import TensorStreams
import TestSupport
import Testing

/// Needs a Python with torch, torchvision and safetensors: `python3`, or the one that SEED_PYTHON names.
@Suite struct PyTorchTests {
    static let python = ProcessInfo.processInfo.environment["SEED_PYTHON"] ?? "python3"
    static let isThere = Effort.isLong && (try? run([python, "-c", "import torch, torchvision, safetensors"]))?.status == 0

    static func run(_ arguments: [String]) throws -> (status: Int32, output: String, error: String) {
        let process = Process(), output = Pipe()
        // PyTorch leaves files in the temporary folder.
        let folder = FileManager.default.temporaryDirectory.appending(path: "python-\(UUID().uuidString)"), errors = folder.appending(path: "errors")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: folder) }
        process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": folder.path]) { $1 }
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: text, as: UTF8.self), try String(contentsOf: errors, encoding: .utf8))
    }

    /// The folder in which `swift build` puts the tools: beside this test program.
    static let tools = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    @Test(
        .enabled(if: isThere, "one of the long tests, for a Python with torch, torchvision and safetensors; SEED_PYTHON may name one"),
        arguments: [
            ("resnet18", true), ("resnet18", false), ("mobilenet-v3-large", true), ("mobilenet-v3-large", false), ("efficientnet-b0", true),
            ("efficientnet-b0", false),
        ])
    func `torchvision loads a converted checkpoint and gives our output`(_ name: String, hidden: Bool) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "checkpoints-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let checkpoint = folder.appending(path: "student.3.safetensors.zst").path, plain = folder.appending(path: "student.safetensors").path

        let weights = formulaWeights(name, hidden: hidden)
        var tensors = WeightsDocument.tensors(of: weights)
        tensors["training.momentum"] = Tensor(f32: [1, 2, 3], shape: [3])
        try DocumentFile.write(TensorDocument(metadata: ["network": name, "epoch": "3"], tensors: tensors), to: checkpoint)
        let converted = try Self.run([Self.tools.appending(path: "convert-weights").path, "-q", checkpoint, "-o", plain])
        try #require(converted.status == 0, "\(converted.error)")

        let (N, H, W) = (3, 64, 45)
        let run = InferenceRun(weights, output: .embedding, height: H, width: W)
        var ours = [Float](repeating: .nan, count: N * 128)
        let images = formula("pictures", N * H * W * 3), file = folder.appending(path: "images.safetensors").path
        run.run(images: images, N: N, into: &ours)
        try DocumentFile.write(TensorDocument(tensors: ["pictures": Tensor(f32: images, shape: [N, H, W, 3])]), to: file)

        let python = try Self.run([Self.python, golden("load_checkpoint.py"), name.split(separator: "-").joined(separator: "_"), plain, file])
        try #require(python.status == 0, "\(python.error)")
        let theirs = python.output.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        try #require(theirs.count == N * 128)
        #expect(relativeError(ours, theirs) <= 1e-5)
    }
}

import Foundation
import TensorStreams

/// The numbers that Tests/golden/objectives.py wrote.
struct Golden {
    private let document: TensorDocument

    init() throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        document = try DocumentFile.read(tests.appending(path: "golden/objectives.safetensors").path)
    }

    func shape(_ name: String) throws -> [Int] { try tensor(name).shape }
    func floats(_ name: String) throws -> [Float] { try tensor(name).floats() }
    func integers(_ name: String) throws -> [Int32] { try tensor(name).integers().map(Int32.init) }

    private func tensor(_ name: String) throws -> Tensor {
        guard let tensor = document.tensors[name] else { throw CocoaError(.coderValueNotFound) }
        return tensor
    }
}

import Evaluation
import Foundation
import TensorStreams

/// The numbers that Tests/golden/evaluation.py wrote.
struct Golden {
    private let document: TensorDocument

    init() throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        document = try DocumentFile.read(tests.appending(path: "golden/evaluation.safetensors").path)
    }

    func shape(_ name: String) throws -> [Int] { try tensor(name).shape }
    func floats(_ name: String) throws -> [Float] { try tensor(name).floats() }
    func integers(_ name: String) throws -> [Int] { try tensor(name).integers() }
    func labels(_ name: String) throws -> [Int32] { try integers(name).map(Int32.init) }
    func matrix(_ name: String) throws -> FeatureMatrix {
        let shape = try shape(name)
        return FeatureMatrix(try floats(name), samples: shape[0], dimension: shape[1])
    }

    /// Double precision as it is in the file.
    func doubles(_ name: String) throws -> [Double] {
        let tensor = try tensor(name)
        guard tensor.dtype == .f64 else { throw CocoaError(.coderValueNotFound) }
        return tensor.withElements(as: Double.self) { Array($0) }
    }

    private func tensor(_ name: String) throws -> Tensor {
        guard let tensor = document.tensors[name] else { throw CocoaError(.coderValueNotFound) }
        return tensor
    }
}

/// The largest difference.
func difference(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { worst, pair in
        let distance = abs(pair.0 - pair.1)
        return distance.isNaN ? .infinity : max(worst, distance)
    }
}

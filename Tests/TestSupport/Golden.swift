import Foundation
import TensorStreams

/// The numbers in one of the files of Tests/golden, which a Python program beside it wrote.
public struct Golden {
    private let document: TensorDocument

    /// - Parameter name: of the file, without `.safetensors`.
    public init(_ name: String) throws { document = try DocumentFile.read(golden(name + ".safetensors")) }

    public func shape(_ name: String) throws -> [Int] { try tensor(name).shape }
    public func floats(_ name: String) throws -> [Float] { try tensor(name).floats() }
    public func integers(_ name: String) throws -> [Int32] { try tensor(name).integers().map(Int32.init) }

    private func tensor(_ name: String) throws -> Tensor {
        guard let tensor = document.tensors[name] else { throw CocoaError(.coderValueNotFound) }
        return tensor
    }
}

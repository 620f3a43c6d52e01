import Foundation
import TensorStreams

/// The numbers in a file of Tests/golden, which a Python program beside it wrote.
public struct Golden {
    private let document: TensorDocument

    /// - Parameter name: the file's name without `.safetensors`; `images.safetensors.zst` is given with its extension.
    public init(_ name: String) throws { try self.init(path: golden(name.contains(".") ? name : name + ".safetensors")) }
    public init(path: String) throws { document = try DocumentFile.read(path) }

    public func has(_ name: String) -> Bool { document.tensors[name] != nil }
    /// The names of tensors with this prefix.
    public func names(_ prefix: String) -> [String] { document.names.filter { $0.hasPrefix(prefix) } }

    public func shape(_ name: String) throws -> [Int] { try tensor(name).shape }
    public func floats(_ name: String) throws -> [Float] { try tensor(name).floats() }
    public func integers(_ name: String) throws -> [Int] { try tensor(name).integers() }
    /// Double precision as stored in the file, or floats as doubles.
    public func doubles(_ name: String) throws -> [Double] {
        let tensor = try tensor(name)
        return tensor.dtype == .f64 ? tensor.withElements(as: Double.self) { Array($0) } : try tensor.floats().map(Double.init)
    }
    public func bytes(_ name: String) throws -> [UInt8] { try tensor(name).withBytes { [UInt8]($0) } }
    public func text(_ name: String) throws -> String {
        guard let text = document.metadata[name] else { throw CocoaError(.coderValueNotFound) }
        return text
    }

    private func tensor(_ name: String) throws -> Tensor {
        guard let tensor = document.tensors[name] else { throw CocoaError(.coderValueNotFound) }
        return tensor
    }
}

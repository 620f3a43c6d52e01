import TensorStreams
import ToolSupport

extension TorchFile {
    /// Writes the same format as `torch.save` for an `OrderedDict` of tensors (PyTorch's `torch/serialization.py`,
    /// `_save`), each in its own storage; `torch.load` reads it with `weights_only=True`.
    ///
    /// Only one tensor at a time is in memory.
    ///
    /// - Parameters:
    ///   - key: the key of the dictionary that contains the tensors, with the entries `beside` at the same level; nil
    ///     where the tensors themselves are the top level.
    static func write(_ tensors: [DeferredTensor], inside key: String?, beside: [(key: String, value: PickleWriter.Scalar)], to path: String) throws {
        var output = try OutputFile(path), zip = StoredZip()
        func add(_ name: String, _ bytes: [UInt8]) throws { try unsafe bytes.withUnsafeBytes { try unsafe zip.add("archive/" + name, $0, to: &output) } }
        try add("data.pkl", pickle(tensors.map(\.outline), inside: key, beside))
        // The version of the following members, and the alignment of the storages.
        try add(".format_version", Array("1".utf8))
        try add(".storage_alignment", Array("64".utf8))
        try add("byteorder", Array("little".utf8))
        for (number, tensor) in tensors.enumerated() {
            try unsafe tensor.tensor().withBytes { try unsafe zip.add("archive/data/\(number)", $0, to: &output) }
        }
        try add("version", Array("3\n".utf8))
        try zip.end(&output)
        try output.commit()
    }

    private static func pickle(_ tensors: [TensorOutline], inside key: String?, _ beside: [(key: String, value: PickleWriter.Scalar)]) throws -> [UInt8] {
        var pickle = PickleWriter(version: 2)
        if let key { pickle.beginDictionary(inside: key, beside: beside) }
        pickle.orderedDictionary()
        pickle.beginItems()
        for (number, tensor) in tensors.enumerated() {
            guard let storage = TorchNames.storage(of: tensor.dtype) else { throw Failure(.software, "PyTorch has no storage of \(tensor.dtype.rawValue)") }
            pickle.string(tensor.name)
            pickle.global("torch._utils", "_rebuild_tensor_v2")
            pickle.tuple { pickle in
                pickle.tuple { pickle in
                    pickle.string("storage")
                    pickle.global("torch", storage)
                    pickle.string("\(number)")
                    pickle.string("cpu")
                    pickle.int(tensor.count)
                }
                pickle.persistent()
                pickle.int(0)
                pickle.ints(tensor.shape)
                pickle.ints(tensor.shape.indices.map { tensor.shape[($0 + 1)...].reduce(1, *) })
                // No gradient required, no hooks.
                pickle.bool(false)
                pickle.orderedDictionary()
            }
            pickle.call()
        }
        pickle.endItems()
        if key != nil { pickle.endItems() }
        pickle.stop()
        return pickle.bytes
    }
}

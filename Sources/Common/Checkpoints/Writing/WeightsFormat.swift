import ToolSupport

/// The file format for weights, chosen by the file name extension.
public enum WeightsFormat: String, Sendable {
    case safetensors = "*.safetensors"
    /// The zip format of `torch.save`.
    case torch = "*.pth"
    /// NumPy arrays in a pickle.
    case pickle = "*.pkl"
    case onnx = "*.onnx"

    /// - Throws: ``Failure`` `usage` where the extension is that of a format which is not written.
    public static func check(_ path: String) throws {
        let others = [".npz", ".npy", ".bin", ".h5", ".ckpt", ".tflite", ".gguf", ".xml", ".tar", ".zip", ".json"]
        guard let ending = others.first(where: path.lowercased().hasSuffix) else { return }
        throw Failure(.usage, "'\(path.printableLine(limit: 80))' ends in \(ending), which cannot be written", remedy: "name a file *.safetensors, *.safetensors.zst, *.pth, *.pkl or *.onnx")
    }

    /// Any other extension selects safetensors.
    public init(_ path: String) {
        let endings: [(String, WeightsFormat)] = [(".pth", .torch), (".pt", .torch), (".pkl", .pickle), (".onnx", .onnx)]
        self = endings.first { path.hasSuffix($0.0) }?.1 ?? .safetensors
    }
}

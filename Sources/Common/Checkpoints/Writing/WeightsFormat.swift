/// The kind of file that weights are written to, by the ending of its name.
public enum WeightsFormat: String, Sendable {
    case safetensors = "*.safetensors"
    /// The zip of `torch.save`.
    case torch = "*.pth"
    /// NumPy's arrays in a pickle.
    case pickle = "*.pkl"
    case onnx = "*.onnx"

    /// Of a name with another ending it is safetensors.
    public init(_ path: String) {
        let endings: [(String, WeightsFormat)] = [(".pth", .torch), (".pt", .torch), (".pkl", .pickle), (".onnx", .onnx)]
        self = endings.first { path.hasSuffix($0.0) }?.1 ?? .safetensors
    }
}

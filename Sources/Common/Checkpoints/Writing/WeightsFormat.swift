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
        switch path.split(separator: ".").last {
        case "pth", "pt": self = .torch
        case "pkl": self = .pickle
        case "onnx": self = .onnx
        default: self = .safetensors
        }
    }
}

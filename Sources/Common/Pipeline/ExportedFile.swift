import Checkpoints
import Networks
import ToolSupport

/// What EXPORT names: a file that a run makes of its last student for other programs, by a stage of that name.
enum ExportedFile: String, CaseIterable {
    /// For onnxruntime, OpenVINO and others.
    case onnx
    /// For `torch.load`, under torchvision's names.
    case torch

    static let names = allCases.map(\.rawValue)

    var stage: String { rawValue }
    var file: String { self == .onnx ? "student.onnx" : "student.pth" }
}

extension RunSettings {
    /// What EXPORT names, in an order of its own.
    var exports: [ExportedFile] { ExportedFile.allCases.filter { words("EXPORT").contains($0.rawValue) } }

    /// - Throws: ``Failure`` `usage` where the student does not fit into a file that is to be made of it in the end.
    func checkExports() throws {
        guard exports.contains(.onnx), let network = Network(self["STUDENT"], head: .none), !ONNXFile.holds(network) else { return }
        throw Failure(.usage, "EXPORT=\(self["EXPORT"]): \(network.name) has more numbers than an ONNX file of 2 GB holds", remedy: "leave out onnx")
    }
}

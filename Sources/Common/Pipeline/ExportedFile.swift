import Checkpoints
import Networks
import ToolSupport

/// A format of EXPORT: a file of the last student for other programs, made by a stage of that name.
enum ExportedFile: String, CaseIterable {
    /// For onnxruntime, OpenVINO and others.
    case onnx
    /// For `torch.load`, with torchvision's names.
    case torch

    static let names = allCases.map(\.rawValue)

    func stage(_ student: Student) -> String { rawValue + student.suffix }
    func file(_ student: Student) -> String { student.name + (self == .onnx ? ".onnx" : ".pth") }
}

extension RunSettings {
    /// The formats in EXPORT, in a fixed order.
    var exports: [ExportedFile] { ExportedFile.allCases.filter { words("EXPORT").contains($0.rawValue) } }

    /// - Throws: ``Failure`` `usage` if the student does not fit into an exported file.
    func checkExports() throws {
        guard exports.contains(.onnx), let network = students.lazy.compactMap({ Network($0.network, head: .none) }).first(where: { !ONNXFile.holds($0) }) else { return }
        throw Failure(.usage, "EXPORT=\(self["EXPORT"]): \(network.name) has more numbers than an ONNX file of 2 GB holds", remedy: "leave out onnx")
    }
}

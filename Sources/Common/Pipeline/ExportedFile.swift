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

    func stage(_ student: Student) -> String { rawValue + student.suffix }
    func file(_ student: Student) -> String { student.name + (self == .onnx ? ".onnx" : ".pth") }
}

extension RunSettings {
    /// What EXPORT names, in an order of its own.
    var exports: [ExportedFile] { ExportedFile.allCases.filter { words("EXPORT").contains($0.rawValue) } }

    /// - Throws: ``Failure`` `usage` where the student does not fit into a file that is to be made of it in the end.
    func checkExports() throws {
        guard exports.contains(.onnx), let network = students.lazy.compactMap({ Network($0.network, head: .none) }).first(where: { !ONNXFile.holds($0) }) else { return }
        throw Failure(.usage, "EXPORT=\(self["EXPORT"]): \(network.name) has more numbers than an ONNX file of 2 GB holds", remedy: "leave out onnx")
    }
}

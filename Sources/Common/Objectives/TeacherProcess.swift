public import TensorStreams
public import ToolSupport

/// A teacher in a separate program.
///
/// It receives records of images, as `augment` makes them, and answers each with the same record plus the tensor
/// `teacher`, f32 [N, D], rows of length 1.
///
/// The tensors that it passes on identify its answers: `index` and `label` must be present and unchanged, and any
/// other tensor with the name of an input tensor must equal it. This detects a program that drops, repeats or
/// reorders images. The images themselves need not be passed on.
public final class TeacherProcess {
    /// The width of a row; nil before the first answer.
    public private(set) var dimension: Int?
    /// The network's name, if the header of the answers gives one.
    public var network: String? { program.header?.metadata["network"].flatMap { $0 == given.metadata["network"] ? nil : $0 } }

    /// The default timeout for an answer in seconds. Some programs first load a framework or download weights.
    public static let usualTimeout = 3600

    private let program: RecordProgram
    private let given: StreamHeader
    private static let remedy = "run it by hand on what augment writes"

    /// - Parameters:
    ///   - option: the option that names the command, for messages.
    ///   - header: the header of the image stream.
    public init(_ command: String, option: String, header: StreamHeader, _ supervision: ProgramSupervision) throws {
        given = header
        program = try RecordProgram(command, option: option, header: header, remedy: TeacherProcess.remedy, supervision)
    }

    /// The teacher's rows of a record's images, f32 [N, D].
    ///
    /// - Throws: ``Failure`` `data` where the program gives no rows, or rows of other images.
    public func rows(_ record: TensorDocument) throws -> Tensor {
        let N = try record.tensor("images", .u8, shape: [nil, nil, nil, nil, 3]).shape[0]
        let answer = try program.answer(record)
        do {
            return try check(answer, of: record, N: N)
        } catch var failure as Failure {
            failure.remedy = failure.remedy ?? TeacherProcess.remedy
            throw failure
        }
    }

    private func check(_ answer: TensorDocument, of record: TensorDocument, N: Int) throws -> Tensor {
        for name in record.names where name != TeacherProcess.tensor {
            guard let own = answer.tensors[name] else {
                if TeacherProcess.kept.contains(name) { throw answer.failure("has no '\(name)', which must be passed on unchanged; it has \(listed(answer.names, quote: ""))") }
                continue
            }
            guard own == record.tensors[name] else {
                throw answer.failure(
                    "has another '\(name)' than the record that it answers", remedy: "answer each record in turn, and pass on its contents unchanged")
            }
        }
        let rows = try answer.tensor(TeacherProcess.tensor, .f32, shape: [N, dimension])
        guard rows.shape[1] > 0 else { throw answer.failure("has rows of no numbers in '\(TeacherProcess.tensor)'") }
        try NormalizedRowCheck.check(rows, TeacherProcess.tensor, in: answer)
        dimension = rows.shape[1]
        return rows
    }

    /// Call after the last record.
    public func finish() throws {
        try program.finish { _ in throw program.failure("gave more answers than it was asked for") }
    }

    private static let tensor = "teacher"
    /// The tensors that identify the images of a record.
    private static let kept = ["index", "label"]
}

import Losses
import TensorStreams

/// SEED without a queue: the student's similarities to the teacher's embeddings of the batch should have the same
/// distribution as the teacher's.
///
///     L = −mean Σⱼ softmax(tᵢ·tⱼ / τ_t) ln softmax(sᵢ·tⱼ / τ_s)        j over the images of the batch
///
/// This is ``AnchorLoss`` with the batch as anchors: SEED's loss (Fang et al., ICLR 2021, eq. 3) in the manner of
/// SimCLR. A mean shared by the teacher's embeddings is not subtracted.
public struct SEEDBatch: Objective {
    public static let name = "seed-batch"
    public static let summary = "match the teacher's similarities to the batch, without a queue"
    public static let inputs = Inputs(views: 1...64, teacher: .embedding)
    public static let hasFixedTargets = true

    static let studentTemperature = MethodOption("student-temperature", default: 0.2, in: Temperature.range, "The temperature of the student's logits.")
    static let teacherTemperature = MethodOption(
        "teacher-temperature", default: Temperature.published, in: Temperature.range, "The temperature of the teacher's logits.")
    public static let options: [any AnyMethodOption] = [studentTemperature, teacherTemperature]

    private static let student = Pass("student", .view(0))
    public static func passes(_ options: MethodOptions) -> [Pass] { [student] }
    private let anchorLoss: AnchorLoss

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws {
        anchorLoss = AnchorLoss(studentTemperature: options[Self.studentTemperature], teacherTemperature: options[Self.teacherTemperature])
    }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let rows = NormalizedRows(outputs[Self.student]), remedy = "make a student with initialize --embedding and the teacher's width"
        let teacher = NormalizedRows(try batch.teacher(.embedding, width: (rows.D, remedy)))
        guard rows.areFinite else { return .notFinite }
        let values = anchorLoss.evaluate(rows, anchors: teacher.values, teacher, anchors: teacher.values)
        let floor = values.meanFloor ?? 0
        return Loss(
            values.mean, gradients: [Self.student.name: rows.backward(values.gradient)],
            metrics: [.floor(floor), .divergence(values.mean - floor)] + [values.meanAgreement.map { .agreement($0) }, teacher.meanCosine.map { .teacherCosine($0) }].compactMap { $0 })
    }
}

extension AnchorLoss {
    /// The loss of normalised rows against anchors of the same widths.
    func evaluate(_ student: NormalizedRows, anchors: [Float], _ teacher: NormalizedRows, anchors teacherAnchors: [Float]) -> LossValues {
        unsafe student.values.withUnsafeBufferPointer { s in
            unsafe anchors.withUnsafeBufferPointer { studentAnchors in
                unsafe teacher.values.withUnsafeBufferPointer { t in
                    unsafe teacherAnchors.withUnsafeBufferPointer { teacherAnchors in
                        unsafe evaluate(student: s, anchors: studentAnchors, dimension: student.D, teacher: t, anchors: teacherAnchors, dimension: teacher.D)
                    }
                }
            }
        }
    }
}

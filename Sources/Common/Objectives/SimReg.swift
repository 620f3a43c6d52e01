import Networks
import Optimizers
public import TensorStreams
import ToolSupport

/// SimReg: a regressor on the student's pooled features predicts the teacher's pooled features.
///
/// It is dropped after training.
///
///     L = mean of 2 − 2⟨r̂, t̂⟩
///
/// Navaneet et al., "SimReg: Regression as a Simple Yet Effective Tool for Self-supervised Knowledge Distillation",
/// BMVC 2021, eq. 1. The student's own head is not used.
public struct SimReg: Objective {
    public static let name = "simreg"
    public static let summary = "regress the teacher's features through layers that are dropped afterwards (Navaneet et al., BMVC 2021)"
    public static let inputs = Inputs(views: 1...64, teacher: .features)
    public static let hasFixedTargets = true
    public static let head = StudentHead.none
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .sgd, rate: 0.05, weightDecay: 1e-4, .cosine, epochs: 130, recipe: "simreg-weak", smallestCrop: 0.2)

    static let layers = MethodOption(
        "regressor-layers", default: 4, takes: "1, 2 or 4",
        "Linear layers of the regressor: 4, with batch norm and a ReLU after the first and the third; 2, with nothing between them, as in the authors' code; or 1.") { [1, 2, 4].contains($0) }
    static let width = MethodOption<Int?>(
        "teacher-width", default: nil, defaultText: "that of the stream", in: 1...65536, valueName: "D", "Dimension of the teacher's features.")
    public static let options: [any AnyMethodOption] = [layers, width, StudentView.option]

    public static func completed(_ options: MethodOptions, _ header: StreamHeader) throws -> MethodOptions {
        if options[width] != nil { return options }
        guard let D = header.metadata.count("dimension"), (1...65536).contains(D) else {
            throw Failure(.data, "the stream does not say how wide the teacher's rows are", remedy: "send it through embed --features, or give --\(width.name)")
        }
        return options.setting(width, "\(D)")
    }

    public static func models(_ options: MethodOptions) -> [Model] {
        let layers = options[layers], D = options[width] ?? 2048
        return [
            .student,
            .head("regressor", on: .features) { d in
                switch layers {
                case 1: .linear(D)
                case 2: Head([.linear(2 * d), .linear(D)])
                default: Head([.linear(2 * d), .batchNorm(), .relu, .linear(d), .linear(2 * d), .batchNorm(), .relu, .linear(D)])
                }
            },
        ]
    }

    private static func features(_ options: MethodOptions) -> Pass { StudentView.pass("features", options, output: .features) }
    private static func regression(_ options: MethodOptions) -> Pass { Pass("regression", model: "regressor", .output(of: features(options))) }
    public static func passes(_ options: MethodOptions) -> [Pass] { [features(options), regression(options)] }
    private let regressionPass: Pass

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { regressionPass = Self.regression(options) }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let rows = NormalizedRows(outputs[regressionPass])
        let teacher = try batch.teacher(.features, width: (rows.D, "the regressor belongs to another teacher; begin with the student's weights alone, or give --\(Self.width.name)"))
        guard rows.areFinite else { return .notFinite }
        let regression = RowRegression(rows, on: NormalizedRows(teacher))
        return Loss(
            regression.value, gradients: [regressionPass.name: regression.gradient],
            metrics: [.teacherSpread(teacher)].compactMap { $0 })
    }
}

extension Metric {
    /// The mean cosine of a teacher's rows.
    static func teacherSpread(_ teacher: PassOutput) -> Metric? { NormalizedRows(teacher).meanCosine.map { .teacherCosine($0) } }
}

import Losses
public import Networks
import Optimizers
import Platform
public import TensorStreams
import ToolSupport

/// SwAV-style distillation: Sinkhorn's algorithm turns a teacher's prototype scores into assignments that distribute
/// the images equally, and the student's scores of every crop should predict them.
///
///     L = mean over teacher's crops i and student's crops v of −Σₖ q_{i,k} ln softmax(s_v/τ)ₖ        q = Sinkhorn(teacher's scores/ε)
///
/// VISSL's unpublished `swav_distillation_loss`, with the settings of its
/// `configs/config/debugging/pretrain/swav_distillation`; the loss is ``AssignmentCrossEntropy``.
///
/// The student's scores are the output of its head, so the head determines the prototypes. It is either a hidden
/// layer and as many outputs as the teacher has prototypes (the default), or an embedding and a last layer of
/// prototypes. The latter may be the teacher's and may stay frozen (`frozen-prototypes`). Crops pass through trunk
/// and head as in ``SwAV``.
public struct SwAVDistillation: Objective {
    public static let name = "swav-distillation"
    public static let summary = "predict a teacher's assignments to its prototypes (VISSL)"
    public static let inputs = Inputs(views: 1...2, groups: [0...62], teacher: .logits)
    public static let hasFixedTargets = true
    public static let head = StudentHead.namedAsTeacher("prototype-scores")
    public static let defaults: TrainingDefaults? = TrainingDefaults(
        .larc, rate: 0.3, weightDecay: 1e-6, .swav, epochs: 100, warmUp: 10, startShare: 0.0625, endShare: 0.001, recipe: "swav", smallestCrop: 0.14,
        crops: [.init(views: 2, scale: 0.14...1), .init(views: 4, size: 96, scale: 0.05...0.14)])

    static let epsilon = MethodOption("sinkhorn-epsilon", default: 0.03, in: 0.001...100, "The divisor of the scores for their assignment; a smaller one makes it sharper.")
    static let iterations = MethodOption("sinkhorn-iterations", default: 3, in: 0...1000, "Iterations of the assignment.")
    static let isSwapped = MethodOption("swapped", default: false, "Whether a crop that the teacher sees is predicted only from the student's other crops.")
    static let queue = MethodOption(
        "score-queue", default: 0, in: 0...1 << 24, "Earlier rows of the teacher's scores that are assigned together with the batch's, for batches of fewer images than prototypes.")
    static let areFrozen = MethodOption("frozen-prototypes", default: false, "Whether the last layer of the student's head, the teacher's prototypes (initialize --prototypes), stays as it is.")
    public static let options: [any AnyMethodOption] = [SwAV.temperature, epsilon, iterations, isSwapped, queue, areFrozen]

    private static let large = Pass("large", .group(0), output: .features)
    private static let small = Pass("small", .group(1), output: .features)
    private static let scores = Pass("scores", .outputs(of: [large, small]))
    public static func passes(_ options: MethodOptions) -> [Pass] { [large, small, scores] }

    public static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup {
        // The whole last layer: its matrix, and its bias if it has one.
        let last = network.parameters.last?.name ?? "", layer = last.lastIndex(of: ".").map { last[...$0] } ?? last[...]
        return options[areFrozen] && parameter.name.hasPrefix(layer) ? .frozen : ParameterGroup()
    }

    private let options: MethodOptions
    /// The teacher's scores of earlier images; nil before the first, and where no queue is requested.
    private var earlier: EmbeddingQueue?

    public static func conflict(_ options: MethodOptions) -> String? {
        options[queue] == 0 || options[iterations] > 0 ? nil : "--\(queue.name) is of no use with --\(iterations.name) 0, which takes each image by itself; leave it out"
    }

    public init(_ options: MethodOptions, _ facts: TrainingFacts) throws { self.options = options }

    private static let kept = "scores"

    public mutating func restore(_ state: [String: Tensor]) throws {
        if !state.isEmpty { earlier = try EmbeddingQueue(TensorDocument(tensors: state), Self.kept, rows: options[Self.queue], option: Self.queue.name) }
    }
    public mutating func finish() throws -> [String: Tensor] { earlier?.kept(Self.kept) ?? [:] }

    /// The teacher's scores of each crop that it has seen, (N, K): of all large crops where the stream has them, else
    /// of the first.
    private func teacher(_ batch: Batch, width K: Int) throws -> [[Float]] {
        let remedy = "make a student with initialize --head prototype-scores --embedding and the teacher's number of prototypes"
        let name = TeacherOutput.logits.tensor(ofGroup: 0)
        guard batch.record.tensors[name] != nil else { return [try batch.teacher(.logits, width: (K, remedy)).values] }
        return try (0..<batch.views[0]).map { try batch.teacher(.logits, group: 0, view: $0, width: K, remedy: remedy).values }
    }

    /// The indices of the A assignments that each of V crops predicts.
    private func predicted(_ A: Int, of V: Int) -> [[Int]] {
        (0..<V).map { view in
            (0..<A).filter { i in
                if options[Self.isSwapped] { return view != i }
                // Exclude the teacher's assignments of other large crops.
                return view == i || view >= A
            }
        }
    }

    public mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        let scores = outputs[Self.scores], N = batch.N, K = scores.D, V = batch.views.reduce(0, +)
        let targets = try teacher(batch, width: K), predicted = predicted(targets.count, of: V)
        guard predicted.contains(where: { !$0.isEmpty }) else {
            throw batch.record.failure("has one crop of each image where --\(Self.isSwapped.name) on needs another", remedy: "give augment --views 2, or leave out --\(Self.isSwapped.name)")
        }
        guard scores.values.allSatisfy(\.isFinite) else { return .notFinite }
        var queue = try earlier ?? (options[Self.queue] > 0 ? EmbeddingQueue(ofZeros: options[Self.queue], dimension: K, option: Self.queue.name) : nil)
        earlier = nil  // Keep a single owner, so that the mutation does not copy it.
        if let queue, queue.dimension != K {
            throw batch.record.failure("has scores of \(K) prototypes where the queue has rows of \(queue.dimension)", remedy: "begin with the student's weights alone")
        }
        let before = queue.map { Array($0.rows.prefix($0.filled * K)) } ?? []
        let assignments = targets.map {
            Sinkhorn.assignments(before + $0, prototypes: K, epsilon: options[Self.epsilon], iterations: options[Self.iterations], last: N)
        }
        let values = AssignmentCrossEntropy(temperature: options[SwAV.temperature]).evaluate(
            scores: scores.values, N: N, views: batch.views, prototypes: K, assignments: assignments, predicted: predicted, findsFloor: true)
        for rows in targets { unsafe rows.withUnsafeBufferPointer { unsafe queue?.enqueue($0) } }
        earlier = queue
        return Loss(
            values.loss, gradients: [Self.scores.name: values.gradient],
            metrics: [.floor(values.floor), .divergence(values.loss - values.floor), .uniformLoss(log(Double(K))), .agreement(values.agreement)]
                + (queue.map { [.queueFill($0.realShare)] } ?? []))
    }
}

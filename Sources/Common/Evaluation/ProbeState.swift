import Kernels
import Platform
import TensorStreams
import ToolSupport

/// The result of one epoch of a linear evaluation.
public struct ProbeEpoch: Sendable, Equatable {
    /// Counted from 0.
    public var epoch: Int
    public var rate: Double
    /// The mean over the epoch's samples, each measured before the step that uses it.
    public var loss: Double
    /// The fraction of samples, from 0 to 1, that was correct; each measured before the step that uses it.
    public var trainTop1: Double
    /// On the test set, after the epoch.
    public var accuracy: Accuracy
}

/// A checkpoint of a linear evaluation after some epochs; training resumes from it.
///
/// | tensor     | shape              |                                                             |
/// |------------|--------------------|-------------------------------------------------------------|
/// | `weight`   | f32 [C, D]         |                                                             |
/// | `bias`     | f32 [C]            |                                                             |
/// | `velocity` | f32 [C·D + C]      | of the momentum, in the same order                          |
/// | `losses`   | f64 [epochs]       | of ``ProbeEpoch``                                           |
/// | `rates`, `train_top1` | f64 [epochs] |                                                        |
/// | `correct`  | i64 [epochs, 2]    | on the test set, ranked first, and among the first five     |
///
/// The metadata `evaluation` identifies the evaluation: protocol, classes, test set.
struct ProbeState {
    let trainer: ProbeTrainer
    var curve: [ProbeEpoch] = []
    /// A text that identifies the evaluation.
    let identity: String
    private let path: String?
    /// The start time of training in this process, and the number of epochs done before.
    private var start: Double?
    private var before = 0
    private static let key = "evaluation"

    /// A new state, or the contents of `path` if it exists.
    ///
    /// - Throws: a ``Failure`` where the file belongs to another evaluation, or is not a state.
    init(_ probe: StochasticProbe, classes C: Int, dimension D: Int, identity: String, testSamples: Int, path: String?) throws {
        self.identity = identity
        self.path = path
        guard let path, unsafe access(path, F_OK) == 0 else {
            trainer = ProbeTrainer(probe.initial(classes: C, dimension: D))
            return
        }
        let document = try DocumentFile.read(path)
        guard document.metadata[Self.key] == identity else {
            throw Failure(.data, path: path, "belongs to another evaluation or to other data", remedy: "remove it, or give --state another file")
        }
        let weights = try document.tensor("weight", .f32, shape: [C, D]).floats(), biases = try document.tensor("bias", .f32, shape: [C]).floats()
        let velocity = try document.tensor("velocity", .f32, shape: [C * D + C]).floats()
        guard (weights + biases + velocity).allSatisfy(\.isFinite) else { throw document.failure("has a number that is not finite") }
        trainer = ProbeTrainer(LinearClassifier(weights: weights, biases: biases, dimension: D), velocity: velocity)
        func doubles(_ name: String, _ count: Int?) throws -> [Double] { try document.tensor(name, .f64, shape: [count]).withElements(as: Double.self) { Array($0) } }
        let losses = try doubles("losses", nil), count = losses.count, rates = try doubles("rates", count), shares = try doubles("train_top1", count)
        let correct = try document.tensor("correct", .i64, shape: [count, 2]).integers()
        guard count <= probe.epochs, correct.allSatisfy({ (0...testSamples).contains($0) }) else { throw document.failure("has \(count) epochs that are none of this evaluation") }
        curve = (0..<count).map {
            ProbeEpoch(
                epoch: $0, rate: rates[$0], loss: losses[$0], trainTop1: shares[$0],
                accuracy: Accuracy(top1: correct[2 * $0], top5: correct[2 * $0 + 1], samples: testSamples))
        }
        before = count
    }

    /// Starts the clock; call it before the first step.
    mutating func begin() { if start == nil { start = Progress.now() } }

    /// The estimated time for the remaining epochs: "1 min 20 s left"; nil after the last.
    func left(of epochs: Int) -> String? {
        guard let start, before < curve.count, curve.count < epochs else { return nil }
        return "\(Progress.duration((Progress.now() - start) / Double(curve.count - before) * Double(epochs - curve.count))) left"
    }

    /// Adds an epoch and writes the checkpoint.
    mutating func add(_ epoch: ProbeEpoch) throws {
        curve.append(epoch)
        guard let path else { return }
        let classifier = trainer.classifier, velocity = trainer.velocity, (C, D) = (classifier.classes, classifier.dimension), count = curve.count
        try DocumentFile.write(
            TensorDocument(metadata: [Self.key: identity], tensors: [
                "weight": Tensor(f32: classifier.weights, shape: [C, D]), "bias": Tensor(f32: classifier.biases, shape: [C]),
                "velocity": Tensor(f32: velocity, shape: [velocity.count]), "losses": Tensor(f64: curve.map(\.loss), shape: [count]),
                "rates": Tensor(f64: curve.map(\.rate), shape: [count]), "train_top1": Tensor(f64: curve.map(\.trainTop1), shape: [count]),
                "correct": Tensor(i64: curve.flatMap { [Int64($0.accuracy.top1), Int64($0.accuracy.top5)] }, shape: [count, 2]),
            ]), to: path)
    }
}

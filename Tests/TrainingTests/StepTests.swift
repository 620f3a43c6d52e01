import Kernels
import Networks
import Losses
import Objectives
import Optimizers
import TensorStreams
import TestSupport
import Testing
import Training

/// A loss that falls with every output of the network; only weights decay.
private struct WeightsDecay: Objective {
    static let name = "weights-decay-in-a-test"
    static let summary = "lower every number"
    static let options: [any AnyMethodOption] = []
    static let inputs = Inputs(views: 1...1)
    static func group(_ parameter: Parameter, of model: Model, in network: Network, _ options: MethodOptions) -> ParameterGroup {
        ParameterGroup(decays: parameter.name.hasSuffix("weight"))
    }
    private static let views = Pass("views", .allViews)
    static func passes(_ options: MethodOptions) -> [Pass] { [views] }

    init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}

    mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        Loss(1, gradients: [Self.views.name: outputs[Self.views].values.map { _ in 0.01 }])
    }
}

@Suite struct StepTests {
    /// Ten steps from equal weights, images and queue: the losses of `Tests/golden/networks.py`.
    @Test(arguments: [
        ("seed", "resnet18"), ("moco-v2", "resnet18"), ("supervised-contrastive", "resnet18"), ("seed", "mobilenet-v3-large"), ("seed", "efficientnet-b0"),
    ])
    func `ten training steps have PyTorch's losses`(_ method: String, _ network: String) throws {
        let document = try DocumentFile.read(golden("networks.safetensors"))
        let key = method.prefix { $0 != "-" }
        let expected = try #require(document.tensors["steps.\(key).\(network)"]).withElements(as: Double.self) { Array($0) }
        let (N, size, D, K) = (8, 64, 128, 100)
        let weights = formulaWeights(network, dimension: D)
        var state = TrainingState(weights, provenance: Provenance())
        var options = TrainingOptions()
        options.method = try #require(Methods.named(method))
        if !options.method.inputs.labels {
            state.objective = QueueState.tensors(EmbeddingQueue(rows: unit(formula("queue", K * D), D), dimension: D, position: 0, filled: 0))
        }
        options.methodOptions = switch method {
        case "moco-v2": MethodOptions(["key-momentum": "0.99"])
        case "supervised-contrastive": MethodOptions(["student-temperature": "0.001"])
        default: MethodOptions([:])
        }
        options.schedule = .constant(rate: 0.02)
        options.normalizationGroups = 1
        options.drops = false
        let trainer = try Trainer(state, options, header: StreamHeader(metadata: ["samples": "1000"]))
        for (step, loss) in expected.enumerated() {
            var pixels = formula("images.\(step)", N * 2 * size * size * 3)
            if method == "supervised-contrastive" {
                let colours = formula("colours.\(step)", N * 2 * 3)
                pixels = pixels.enumerated().map { i, u in 0.2 * u + 0.8 * colours[i / (size * size * 3) * 3 + i % 3] }
            }
            let bytes = pixels.map { UInt8(min(255, max(0, (($0 + 1) * 127.5).rounded(.down)))) }
            let record = TensorDocument(tensors: [
                "images": Tensor(u8: bytes, shape: [N, 2, size, size, 3]),
                "teacher": Tensor(f32: unit(formula("teacher.\(step)", N * D), D), shape: [N, D]),
                "label": Tensor(i32: (0..<N).map { Int32($0 % 3) }, shape: [N]),
            ])
            let report = try trainer.step(record)
            #expect(abs(report.loss - loss) <= 1e-3 * loss, "step \(step): \(report.loss) where PyTorch has \(loss)")
        }
    }

    @Test(arguments: [SEED.self, WeightsDecay.self] as [any Objective.Type])
    func `weight decay takes its share of each parameter that decays, and nothing of the others`(_ method: any Objective.Type) throws {
        let (N, size, D, rate, decay) = (6, 32, 16, 0.05, 0.1)
        let images = formula("images", N * size * size * 3).map { UInt8(min(255, max(0, (($0 + 1) * 127.5).rounded(.down)))) }
        func stepped(_ weightDecay: Double) throws -> Weights {
            var options = TrainingOptions()
            options.method = method
            options.schedule = .constant(rate: rate)
            options.optimizer = SGD(momentum: 0.9, weightDecay: weightDecay)
            let state = TrainingState(formulaWeights("tiny-resnet10", dimension: D), provenance: Provenance())
            let trainer = try Trainer(state, options, header: StreamHeader(metadata: ["samples": "1000"]))
            _ = try trainer.step(TensorDocument(tensors: [
                "images": Tensor(u8: images, shape: [N, 1, size, size, 3]), "teacher": Tensor(f32: unit(formula("teacher", N * D), D), shape: [N, D]),
            ]))
            return try trainer.finish().weights
        }
        let start = formulaWeights("tiny-resnet10", dimension: D), (without, with) = (try stepped(0), try stepped(decay))
        var (decaying, others) = (0, 0)
        for parameter in start.network.parameters {
            let range = parameter.offset..<(parameter.offset + parameter.count)
            let (begin, plain, decayed) = (start.parameters.buffer[range], without.parameters.buffer[range], with.parameters.buffer[range])
            let share = method.group(parameter, of: .student, in: start.network, MethodOptions()).decays ? Float(rate * decay) : 0
            let errors: [Double] = zip(begin, zip(plain, decayed)).map { start, both in Double(abs(both.0 - both.1 - share * start)) }
            #expect(largest(errors) <= (share == 0 ? 0 : 1e-6), "\(parameter.name)")
            #expect(!begin.elementsEqual(plain), "\(parameter.name) has not moved")
            if share == 0 { others += 1 } else { decaying += 1 }
        }
        #expect(decaying > 10 && (method == SEED.self ? others == 0 : others > 10))
    }

    @Test(arguments: ["mobilenet-v3-large", "efficientnet-b0"])
    func `what is left out at random depends on the seed, the epoch and the step alone`(_ network: String) throws {
        let (N, size, D, K) = (6, 32, 16, 20)
        let images = formula("images", N * size * size * 3).map { UInt8(min(255, max(0, (($0 + 1) * 127.5).rounded(.down)))) }
        func loss(seed: UInt64 = 1, epoch: Int = 3, step: Int = 2, drops: Bool = true) throws -> Double {
            var state = TrainingState(formulaWeights(network, dimension: D), provenance: Provenance())
            state.objective = QueueState.tensors(EmbeddingQueue(rows: unit(formula("queue", K * D), D), dimension: D, position: 0, filled: 0))
            var options = TrainingOptions()
            options.seed = seed
            options.drops = drops
            let trainer = try Trainer(state, options, header: StreamHeader(metadata: ["samples": "1000"]))
            return try trainer.step(TensorDocument(metadata: ["epoch": "\(epoch)", "step": "\(step)"], tensors: [
                "images": Tensor(u8: images, shape: [N, 1, size, size, 3]), "teacher": Tensor(f32: unit(formula("teacher", N * D), D), shape: [N, D]),
            ])).loss
        }
        let first = try loss()
        #expect(try loss() == first)
        for other in [try loss(seed: 2), try loss(epoch: 4), try loss(step: 3), try loss(drops: false)] { #expect(other != first) }
    }

    private func unit(_ rows: [Float], _ D: Int) -> [Float] {
        stride(from: 0, to: rows.count, by: D).flatMap { start in
            let row = rows[start..<(start + D)]
            let norm = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            return row.map { Float(Double($0) / norm) }
        }
    }
}

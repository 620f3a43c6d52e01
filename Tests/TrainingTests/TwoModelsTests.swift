import Kernels
import Networks
import Objectives
import Optimizers
import TensorStreams
import TestSupport
import Testing
import ToolSupport
import Training

/// A minimal BYOL, to show that the interface supports it: a predictor is trained beside the student and reads the
/// outputs of the student's passes.
private struct PredictedAverage: Objective {
    static let name = "byol-in-a-test"
    static let summary = "predict the average's embedding of the other view"
    static let options: [any AnyMethodOption] = []
    static let inputs = Inputs(views: 2...2)
    static let predictor = Head([.linear(40), .batchNorm(), .relu, .linear(24)])

    static func models(_ options: MethodOptions) -> [Model] { [.student, .average("target", momentum: 0.9), .head("predictor") { _ in predictor }] }

    private static let targets = [0, 1].map { Pass("target\($0)", model: "target", .view($0), hasGradient: false) }
    private static let online = [0, 1].map { Pass("online\($0)", .view($0)) }
    private static let predictions = online.map { Pass("prediction of \($0.name)", model: "predictor", .output(of: $0)) }
    static func passes(_ options: MethodOptions) -> [Pass] { targets + online + predictions }

    init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}

    mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        var value = 0.0, gradients: [String: [Float]] = [:]
        for view in 0...1 {
            let (p, t) = (outputs[Self.predictions[view]], outputs[Self.targets[1 - view]])
            var gradient = [Float](repeating: 0, count: p.values.count)
            for n in 0..<p.N {
                let rows = (n * p.D)..<((n + 1) * p.D), (a, b) = (p.values[rows].map(Double.init), t.values[rows].map(Double.init))
                func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
                let (lengthA, lengthB) = (dot(a, a).squareRoot(), dot(b, b).squareRoot()), cosine = dot(a, b) / lengthA / lengthB
                value += (2 - 2 * cosine) / Double(p.N)
                for (d, place) in rows.enumerated() { gradient[place] = Float(-2 / Double(p.N) * (b[d] / lengthB - cosine * a[d] / lengthA) / lengthA) }
            }
            gradients[Self.predictions[view].name] = gradient
        }
        return Loss(value, gradients: gradients)
    }
}

@Suite struct TwoModelsTests {
    private let head = Head([.linear(40), .batchNorm(), .relu, .linear(24)])

    private func record(_ step: Int) -> TensorDocument {
        let bytes = formula("images.\(step)", 6 * 2 * 20 * 20 * 3).map { UInt8(min(255, max(0, (($0 + 1) * 127.5).rounded(.down)))) }
        return TensorDocument(tensors: ["images": Tensor(u8: bytes, shape: [6, 2, 20, 20, 3])])
    }

    private func trainer(_ state: TrainingState) throws -> Trainer {
        var options = TrainingOptions()
        options.method = PredictedAverage.self
        options.schedule = .constant(rate: 0.05)
        return try Trainer(state, options, header: StreamHeader(metadata: ["samples": "1000"]))
    }

    @Test func `a network trained beside the student, on what its passes give, learns as in PyTorch, and goes on from a checkpoint`() throws {
        let golden = try DocumentFile.read(golden("byol.safetensors"))
        let expected = try #require(golden.tensors["losses"]).withElements(as: Double.self) { Array($0) }
        var state = TrainingState(formulaWeights(try #require(Network("tiny-resnet10", head: head))), provenance: Provenance())
        state.others["predictor"] = TrainingState.Other(formulaWeights(Network(PredictedAverage.predictor, inputs: 24)))
        var running = try trainer(state)
        let place = try Workplace()
        for (step, loss) in expected.enumerated() {
            let report = try running.step(record(step))
            #expect(abs(report.loss - loss) <= 1e-4 * loss, "step \(step): \(report.loss) where PyTorch has \(loss)")
            guard step == 1 else { continue }
            try DocumentFile.write(running.finish().document(), to: place.path("state.safetensors"))
            running = try trainer(TrainingState(reading: place.path("state.safetensors"), for: PredictedAverage.self))
        }
        let end = try running.finish(), predictor = try #require(end.others["predictor"]), weight = predictor.weights.network.parameters[0]
        let found = Array(predictor.weights.parameters.buffer[weight.offset..<(weight.offset + weight.count)])
        let moved = try #require(golden.tensors["predictor.0.weight"]).floats().map(Double.init)
        #expect(weight.name == "0.weight" && relativeError(found, moved) < 1e-4)
    }

    @Test func `a checkpoint whose predictor is another's, or lacks its momenta, is refused`() throws {
        let state = TrainingState(formulaWeights(try #require(Network("tiny-resnet10", head: head))), provenance: Provenance())
        let running = try trainer(state), place = try Workplace()
        _ = try running.step(record(0))
        let whole = try running.finish().document()
        for (name, words) in [("training.predictor.0.weight", "'0.weight'"), ("training.momentum.predictor.0.weight", "training.momentum.predictor.0.weight")] {
            for tensor in [Tensor(f32: [1, 2], shape: [1, 2]), nil] {
                var document = whole
                document.metadata["checksum"] = nil
                document.tensors[name] = tensor
                try DocumentFile.write(document, to: place.path("state.safetensors"))
                let found = failure { _ = try TrainingState(reading: place.path("state.safetensors"), for: PredictedAverage.self) }
                #expect(found?.kind == .data && found?.description.contains(words) == true, "\(name): \(found?.description ?? "none")")
            }
        }
        try DocumentFile.write(whole, to: place.path("state.safetensors"))
        #expect(try TrainingState(reading: place.path("state.safetensors"), for: PredictedAverage.self).others.keys.sorted() == ["predictor", "target"])
    }
}

import Kernels
import Networks
import Objectives
import Optimizers
import TensorStreams
import TestSupport
import Testing
import ToolSupport
import Training

/// Half the sum of squares of the outputs of passes over groups of crops.
private protocol Squares: Objective {}

extension Squares {
    static var summary: String { "make every number small" }
    static var options: [any AnyMethodOption] { [] }
    mutating func loss(_ outputs: Outputs, _ batch: Batch) throws -> Loss {
        var value = 0.0, gradients: [String: [Float]] = [:]
        for pass in Self.passes(MethodOptions()) where outputs.has(pass) {
            value += outputs[pass].values.reduce(0) { $0 + Double($1 * $1) / 2 }
            gradients[pass.name] = outputs[pass].values
        }
        return Loss(value, gradients: gradients)
    }
}

private struct FirstGroup: Squares {
    static let name = "first-group-in-a-test"
    static let inputs = Inputs(views: 1...9)
    static func passes(_ options: MethodOptions) -> [Pass] { [Pass("all", .allViews)] }
    init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}
}

private struct BothGroups: Squares {
    static let name = "both-groups-in-a-test"
    static let inputs = Inputs(views: 1...9, groups: [0...2])
    static func passes(_ options: MethodOptions) -> [Pass] { [Pass("large", .allViews), Pass("small", .group(1))] }
    init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}
}

private struct ThirdView: Squares {
    static let name = "third-view-in-a-test"
    static let inputs = Inputs(views: 2...2, groups: [2...2])
    static func passes(_ options: MethodOptions) -> [Pass] { [Pass("third", .view(2))] }
    init(_ options: MethodOptions, _ facts: TrainingFacts) throws {}
}

@Suite struct CropGroupTrainingTests {
    private let N = 4

    private func images(_ name: String, views: Int, size: Int) -> Tensor {
        let bytes = formula(name, N * views * size * size * 3).map { UInt8(min(255, max(0, (($0 + 1) * 127.5).rounded(.down)))) }
        return Tensor(u8: bytes, shape: [N, views, size, size, 3])
    }

    private func trainer(_ method: any Objective.Type, rate: Double = 1e-3) throws -> Trainer {
        var options = TrainingOptions()
        options.method = method
        options.schedule = .constant(rate: rate)
        options.optimizer = SGD(momentum: 0.9, weightDecay: 0)
        return try Trainer(TrainingState(formulaWeights("tiny-resnet10", dimension: 16), provenance: Provenance()), options, header: StreamHeader(metadata: ["samples": "1000"]))
    }

    /// The parameters after a step for each record, and the losses.
    private func trained(_ method: any Objective.Type, _ records: [[String: Tensor]], rate: Double = 1e-3) throws -> (parameters: [Double], losses: [Double]) {
        let trainer = try trainer(method, rate: rate)
        let losses = try records.map { try trainer.step(TensorDocument(tensors: $0)).loss }
        return (numbers(try trainer.finish().weights), losses)
    }

    private func numbers(_ weights: Weights) -> [Double] { withExtendedLifetime(weights) { weights.parameters.buffer.map(Double.init) } }

    @Test func `the gradient over two groups of crops is the sum of those of each, step by step`() throws {
        let large = images("large", views: 2, size: 32), small = images("small", views: 2, size: 16)
        let start = numbers(formulaWeights("tiny-resnet10", dimension: 16))
        // A rate so large that the parameters' own rounding is not visible in the difference.
        let both = try trained(BothGroups.self, [["images": large, "images.1": small]], rate: 1)
        let parts = try [large, small].map { try trained(FirstGroup.self, [["images": $0]], rate: 1) }
        #expect(abs(both.losses[0] - parts[0].losses[0] - parts[1].losses[0]) < 1e-6 * both.losses[0])
        let moved = zip(both.parameters, start).map { Float($0 - $1) }
        let expected = start.indices.map { parts[0].parameters[$0] + parts[1].parameters[$0] - 2 * start[$0] }
        #expect(expected.contains { $0 != 0 } && relativeError(moved, expected) < 1e-3)
    }

    @Test func `the steps of an epoch are those that a new trainer would do, also behind a batch of another size`() throws {
        let record = ["images": images("large", views: 2, size: 32), "images.1": images("small", views: 2, size: 16)]
        let few = ["images": images("large", views: 1, size: 32), "images.1": images("small", views: 1, size: 16)]
        // With a rate of 0 each step begins with the same weights.
        let losses = try trained(BothGroups.self, [record, few, record, few, record], rate: 0).losses
        let alone = try [record, few].map { try trained(BothGroups.self, [$0], rate: 0).losses[0] }
        #expect(losses == [alone[0], alone[1], alone[0], alone[1], alone[0]])
    }

    @Test func `a group that may be left out leaves its pass out`() throws {
        let large = images("large", views: 2, size: 32)
        #expect(try trained(BothGroups.self, [["images": large]]).parameters == trained(FirstGroup.self, [["images": large]]).parameters)
    }

    @Test func `views are counted over all groups`() throws {
        let small = images("small", views: 2, size: 16)
        let first = small.withBytes { bytes in
            let length = 16 * 16 * 3
            return (0..<N).flatMap { n in [UInt8](bytes[2 * n * length..<(2 * n + 1) * length]) }
        }
        let third = try trained(ThirdView.self, [["images": images("large", views: 2, size: 32), "images.1": small]])
        #expect(try third.parameters == trained(FirstGroup.self, [["images": Tensor(u8: first, shape: [N, 1, 16, 16, 3])]]).parameters)
    }

    @Test func `a record without a group that is needed, or with another number of views or images, is refused`() throws {
        let large = images("large", views: 2, size: 32), small = images("small", views: 2, size: 16)
        let few = Tensor(u8: [UInt8](repeating: 0, count: 16 * 16 * 3 * 2), shape: [1, 2, 16, 16, 3])
        let cases: [(any Objective.Type, [String: Tensor], String)] = [
            (ThirdView.self, ["images": large], "has 0 views of each image in group 1 where --objective third-view-in-a-test needs 2; give augment --crops such as '2x224 2x96'"),
            (ThirdView.self, ["images": large, "images.1": images("x", views: 1, size: 16)], "has 1 view of each image in group 1"),
            (ThirdView.self, ["images": small.reshaped([N * 2, 1, 16, 16, 3]), "images.1": small], "has 1 view of each image in group 0"),
            (BothGroups.self, ["images": large, "images.1": images("x", views: 3, size: 16)], "has 3 views of each image in group 1"),
            (BothGroups.self, ["images": large, "images.1": few], "has 1 images in group 1 where the first has 4"),
            (BothGroups.self, ["images": large, "images.1": Tensor(f32: [1], shape: [1])], "'images.1'"),
            (BothGroups.self, ["images": large, "images.1": images("x", views: 2, size: 3)], "has images of group 1 of 3×3"),
        ]
        for (method, tensors, words) in cases {
            let found = failure { _ = try trainer(method).step(TensorDocument(tensors: tensors)) }
            #expect(found?.kind == .data && found?.description.contains(words) == true, "\(found?.description ?? "none")")
        }
    }
}

import Networks
import TensorStreams
import TestSupport
import Testing
import ToolSupport
import Training

/// A teacher that normalises each view of a batch by its own mean and deviation: `embed --batch-statistics`.
@Suite struct BatchStatisticsTests {
    private let head = Head.linear(24)

    /// The record of `Tests/golden/methods.py`.
    private func record(N: Int = 8) -> TensorDocument {
        let bytes = formula("images.0", N * 2 * 20 * 20 * 3).map { UInt8(min(255, max(0, (($0 + 1) * 127.5).rounded(.down)))) }
        return TensorDocument(tensors: ["images": Tensor(u8: bytes, shape: [N, 2, 20, 20, 3])])
    }

    private func stage(_ kind: EmbeddingStage.Kind, _ source: EmbeddingStage.Source, _ network: String = "tiny-resnet10") throws -> EmbeddingStage {
        let network = try #require(Network(network, head: head))
        return try EmbeddingStage(formulaWeights(network), path: "teacher", kind: kind, [(source, RowPlace([kind.name(of: source)], drop: []))], statistics: .batch)
    }

    @Test func `rows are those of PyTorch in training, each view by itself`() throws {
        let golden = try Golden("methods").doubles("batch-statistics"), record = record()
        let all = try stage(.embedding, .group(0)).embed(record).tensor("teacher.0", .f32, shape: [8, 2, 24]).floats()
        #expect(relativeError(all, golden) < 1e-4)
        for view in 0...1 {
            let rows = try stage(.embedding, .view(view)).embed(record).tensor("teacher", .f32, shape: [8, 24]).floats()
            var expected: [Float] = []
            for n in 0..<8 { expected += all[(2 * n + view) * 24..<(2 * n + view + 1) * 24] }
            #expect(rows == expected)
        }
    }

    @Test func `records of other sizes between them change nothing, nor do features need the head`() throws {
        let stage = try stage(.features, .view(1)), first = try stage.embed(record()).tensor("features", .f32, shape: [8, 128])
        #expect(try stage.embed(record(N: 3)).tensor("features", .f32, shape: [3, 128]).floats().allSatisfy(\.isFinite))
        #expect(try stage.embed(record()).tensor("features", .f32, shape: [8, 128]).floats() == first.floats())
    }

    @Test func `one image alone, and a network without batch norm, are refused`() throws {
        let stage = try stage(.embedding, .group(0))
        #expect(failure { _ = try stage.embed(record(N: 1)) }?.description.contains("has one image") == true)
        #expect(failure { _ = try self.stage(.embedding, .view(0), "vit-small-14") }?.description.contains("has no batch norm") == true)
    }
}

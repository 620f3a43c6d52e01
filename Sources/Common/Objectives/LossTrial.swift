import Losses
import TensorStreams
public import ToolSupport

/// Tries a loss program on a few random rows, so that errors appear before the training starts.
public enum LossTrial {
    /// - Parameters:
    ///   - rows: N of the single batch.
    ///   - dimension: D.
    ///   - samples: images in the data set, as in the header.
    /// - Throws: ``Failure`` where the program gives no answer, or one that is not a valid loss.
    public static func run(_ command: String, rows N: Int, dimension D: Int, samples: Int, _ supervision: ProgramSupervision) throws {
        let header = StreamHeader(metadata: [QueueState.key: QueueState.wanted, "samples": "\(samples)", "batch": "\(N)", "records": "1"])
        let process = try LossProcess(command, header: header, supervision)
        try process.restore([:])
        func rows(_ seed: UInt64) -> Tensor { Tensor(f32: EmbeddingQueue(capacity: N, dimension: D, seed: seed).rows, shape: [N, D]) }
        let teacher = rows(1)
        let answer = try process.answer(
            TensorDocument(metadata: ["epoch": "0", "step": "0"], tensors: ["student": rows(2), "teacher": teacher, TeacherSample.name: teacher]))
        _ = try answer.tensor("loss", .f32, shape: [N])
        _ = try answer.tensor("gradient", .f32, shape: [N, D])
        _ = try process.finish()
    }
}

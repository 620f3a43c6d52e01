import Platform

/// The loss of student embeddings against teacher embeddings and a queue of earlier ones.
///
/// n₁ … n_K are the queue's rows before this batch, and n₀ is the teacher's own embedding tᵢ:
///
///     q = softmax(sᵢ·n / τ_s)     Lᵢ = −Σⱼ pⱼ ln qⱼ     ∂L/∂sᵢ = Σⱼ (qⱼ − pⱼ) nⱼ / (N · τ_s)
///
/// | target p             |                                                                                                  |
/// |----------------------|--------------------------------------------------------------------------------------------------|
/// | softmax(tᵢ·n / τ_t)  | SEED: Fang et al., "SEED: Self-supervised Distillation for Visual Representation", ICLR 2021, eq. 3. Column 0 and the order of queue and logits are those of the authors' `seed/builder.py`. τ_t = 1e-4 works too: then p is nearly one-hot. |
/// | one-hot at n₀        | InfoNCE: He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020, eq. 1. Student rows are the queries, teacher rows the keys. |
///
/// The floor is the entropy of p (0 for InfoNCE). Agreement is 1 if q and p have their maximum in the same column.
public struct QueueLoss: Sendable {
    public var queue: EmbeddingQueue
    /// τ_s.
    public let studentTemperature: Double
    /// τ_t; nil for a one-hot target.
    public let teacherTemperature: Double?

    private init(_ queue: EmbeddingQueue, _ studentTemperature: Double, _ teacherTemperature: Double?) {
        precondition(studentTemperature > 0 && teacherTemperature ?? 1 > 0)
        self.queue = queue
        self.studentTemperature = studentTemperature
        self.teacherTemperature = teacherTemperature
    }

    /// SEED's loss. Temperatures are positive; the defaults are the paper's.
    public static func seed(queue: EmbeddingQueue, studentTemperature: Double = 0.2, teacherTemperature: Double = 0.01) -> QueueLoss {
        QueueLoss(queue, studentTemperature, teacherTemperature)
    }

    /// The InfoNCE loss. The temperature is positive; the default is MoCo-v2's.
    public static func infoNCE(queue: EmbeddingQueue, temperature: Double = 0.2) -> QueueLoss { QueueLoss(queue, temperature, nil) }

    /// The uniform loss ln(K + 1): the loss of a student that spreads its weight evenly over the K + 1 columns.
    public var uniformLoss: Double { log(Double(queue.capacity) + 1) }

    /// Computes the loss of N rows and its gradient, then enqueues the teacher's rows.
    ///
    /// - Parameters:
    ///   - student: L2-normalized rows (N, D).
    ///   - teacher: L2-normalized rows (N, D).
    ///   - count: N. With N = 0 the call has no effect.
    ///   - entering: rows (M, D) to enqueue instead of the teacher's.
    public mutating func evaluate(
        student: UnsafeBufferPointer<Float>, teacher: UnsafeBufferPointer<Float>, count: Int, enqueuing entering: [Float]? = nil
    ) -> LossValues {
        let (D, K) = (queue.dimension, queue.capacity), loss = AnchorCrossEntropy(studentTemperature: studentTemperature, teacherTemperature: teacherTemperature, hasOwnPair: true)
        precondition(student.count == count * D && teacher.count == count * D)
        guard count > 0, let s = student.baseAddress, let t = teacher.baseAddress else { return LossValues(loss: [], gradient: [], floor: [], agreement: []) }
        let values = queue.rows.withUnsafeBufferPointer { rows in
            let anchors = rows.baseAddress!
            return loss.evaluate(.init(rows: s, anchors: anchors, D: D), .init(rows: t, anchors: anchors, D: D), count: count, anchors: K)
        }
        if let entering { entering.withUnsafeBufferPointer { queue.enqueue($0) } } else { queue.enqueue(teacher) }
        return values
    }
}

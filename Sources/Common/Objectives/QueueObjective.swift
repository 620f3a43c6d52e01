#if canImport(Glibc)
import Glibc
#endif

/// A loss of student embeddings against teacher embeddings and a queue of earlier ones.
public protocol QueueObjective: Sendable {
    /// The earlier teacher embeddings.
    var queue: EmbeddingQueue { get set }

    /// The loss of N rows and its gradient; then the teacher's rows enter the queue.
    ///
    /// - Parameters:
    ///   - student: unit rows (N, D); of MoCo the queries.
    ///   - teacher: unit rows (N, D); of MoCo the keys.
    ///   - count: N. With N = 0 nothing happens.
    mutating func evaluate(student: UnsafeBufferPointer<Float>, teacher: UnsafeBufferPointer<Float>, count: Int) -> LossValues
}

extension QueueObjective {
    /// The loss of a student that spreads its weight evenly over the K + 1 columns: ln(K + 1).
    public var chance: Double { log(Double(queue.capacity) + 1) }
}

/// SEED: the student's similarities to the queue shall be distributed as the teacher's are.
///
/// With the queue's rows n₁ … n_K as they were before this batch, and n₀ = the teacher's own embedding tᵢ,
///
///     p = softmax(tᵢ·n / teacherTemperature)      q = softmax(sᵢ·n / studentTemperature)
///     Lᵢ = −Σⱼ pⱼ ln qⱼ      ∂L/∂sᵢ = Σⱼ (qⱼ − pⱼ) nⱼ / (N · studentTemperature)
///
/// Fang et al., "SEED: Self-supervised Distillation for Visual Representation", ICLR 2021, eq. 3; column 0 and the order
/// of queue and logits as in the authors' `seed/builder.py`. Its temperature of 1e-4 works too: then p
/// is all but one-hot. The floor is the entropy of p, agreement says whether the largest of q is the largest of p.
public struct SEEDObjective: QueueObjective {
    public var queue: EmbeddingQueue
    /// The student's temperature τ_s.
    public let studentTemperature: Double
    /// The teacher's temperature τ_t.
    public let teacherTemperature: Double

    /// Temperatures are positive; the defaults are the paper's.
    public init(queue: EmbeddingQueue, studentTemperature: Double = 0.2, teacherTemperature: Double = 0.01) {
        precondition(studentTemperature > 0 && teacherTemperature > 0)
        self.queue = queue
        self.studentTemperature = studentTemperature
        self.teacherTemperature = teacherTemperature
    }

    public mutating func evaluate(student: UnsafeBufferPointer<Float>, teacher: UnsafeBufferPointer<Float>, count: Int) -> LossValues {
        let loss = QueueCrossEntropy(studentTemperature: studentTemperature, teacherTemperature: teacherTemperature)
        let values = loss.evaluate(student: student, teacher: teacher, count: count, queue: queue)
        queue.enqueue(teacher)
        return values
    }
}

/// InfoNCE as in MoCo: a query's own key among the keys of other pictures.
///
///     Lᵢ = −ln( exp(qᵢ·kᵢ/T) / (exp(qᵢ·kᵢ/T) + Σⱼ exp(qᵢ·nⱼ/T)) )
///
/// He et al., "Momentum Contrast for Unsupervised Visual Representation Learning", CVPR 2020, eq. 1. Gradients go to the queries
/// only. The floor is 0; agreement is the top-1 accuracy of telling the own key from the queue's.
public struct InfoNCEObjective: QueueObjective {
    public var queue: EmbeddingQueue
    /// The temperature T.
    public let temperature: Double

    /// The temperature is positive; the default is MoCo-v2's.
    public init(queue: EmbeddingQueue, temperature: Double = 0.2) {
        precondition(temperature > 0)
        self.queue = queue
        self.temperature = temperature
    }

    public mutating func evaluate(student: UnsafeBufferPointer<Float>, teacher: UnsafeBufferPointer<Float>, count: Int) -> LossValues {
        let loss = QueueCrossEntropy(studentTemperature: temperature, teacherTemperature: nil)
        let values = loss.evaluate(student: student, teacher: teacher, count: count, queue: queue)
        queue.enqueue(teacher)
        return values
    }
}

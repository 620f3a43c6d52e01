/// The cross-entropy between a student's similarities to K anchors and a teacher's similarities to its own K anchors.
///
///     p = softmax(tᵢ·Aₜ / τ_t)     q = softmax(sᵢ·Aₛ / τ_s)     Lᵢ = −Σⱼ pⱼ ln qⱼ     ∂L/∂sᵢ = Σⱼ (qⱼ − pⱼ) Aₛⱼ / (N · τ_s)
///
/// The floor is the entropy of p; loss − floor is KL(p ‖ q). With anchors from two memories it is CompRess's loss
/// (Koohpayegani et al., "CompRess: Self-Supervised Learning by Compressing Representations", NeurIPS 2020, eq. 1 and
/// 2). With the batch's own teacher rows as both sets of anchors it is SEED's loss without a queue.
public struct AnchorLoss: Sendable {
    /// τ_s.
    public let studentTemperature: Double
    /// τ_t.
    public let teacherTemperature: Double

    /// - Precondition: the temperatures are positive.
    public init(studentTemperature: Double, teacherTemperature: Double) {
        precondition(studentTemperature > 0 && teacherTemperature > 0)
        (self.studentTemperature, self.teacherTemperature) = (studentTemperature, teacherTemperature)
    }

    /// The loss of the batch; the student's anchors are (K, D), the teacher's (K, E).
    ///
    /// - Parameters:
    ///   - student: rows (N, D).
    ///   - teacher: rows (N, E).
    public func evaluate(
        student: UnsafeBufferPointer<Float>, anchors: UnsafeBufferPointer<Float>, dimension D: Int,
        teacher: UnsafeBufferPointer<Float>, anchors teacherAnchors: UnsafeBufferPointer<Float>, dimension E: Int
    ) -> LossValues {
        precondition(D > 0 && E > 0 && student.count % D == 0 && anchors.count % D == 0)
        let N = student.count / D, K = anchors.count / D
        precondition(K > 0 && teacher.count == N * E && teacherAnchors.count == K * E)
        guard let s = student.baseAddress, let t = teacher.baseAddress, let As = anchors.baseAddress, let At = teacherAnchors.baseAddress else {
            return LossValues(loss: [], gradient: [], floor: [], agreement: [])
        }
        return AnchorCrossEntropy(studentTemperature: studentTemperature, teacherTemperature: teacherTemperature, hasOwnPair: false)
            .evaluate(.init(rows: s, anchors: As, D: D), .init(rows: t, anchors: At, D: E), count: N, anchors: K)
    }
}

import Kernels
import Parallel
import Platform

/// The cross-entropy of a student's similarities to K anchors with a teacher's similarities to K anchors of its own.
///
///     p = softmax(tᵢ·Aₜ / τ_t)     q = softmax(sᵢ·Aₛ / τ_s)     Lᵢ = −Σⱼ pⱼ ln qⱼ     ∂L/∂sᵢ = Σⱼ (qⱼ − pⱼ) Aₛⱼ / (N · τ_s)
///
/// The floor is the entropy of p; loss − floor is KL(p ‖ q). With anchors of two memories it is CompRess's (Koohpayegani et al., "CompRess: Self-Supervised Learning by
/// Compressing Representations", NeurIPS 2020, eq. 1 and 2), with the batch's own teacher rows for both it is SEED's without a queue.
public struct AnchorLoss: Sendable {
    /// τ_s.
    public let studentTemperature: Double
    /// τ_t.
    public let teacherTemperature: Double

    /// Temperatures are positive.
    public init(studentTemperature: Double, teacherTemperature: Double) {
        precondition(studentTemperature > 0 && teacherTemperature > 0)
        (self.studentTemperature, self.teacherTemperature) = (studentTemperature, teacherTemperature)
    }

    /// Rows of a batch that are worked on together, and anchors: few enough for the cache.
    private static let pieceRows = 16, tile = 1024

    /// Of (N, D) and (N, E); anchors (K, D) and (K, E).
    ///
    /// - Parameters:
    ///   - student: rows (N, D); `teacher`: rows (N, E).
    public func evaluate(
        student: UnsafeBufferPointer<Float>, anchors: UnsafeBufferPointer<Float>, dimension D: Int,
        teacher: UnsafeBufferPointer<Float>, anchors teacherAnchors: UnsafeBufferPointer<Float>, dimension E: Int
    ) -> LossValues {
        precondition(D > 0 && E > 0 && student.count % D == 0 && anchors.count % D == 0)
        let N = student.count / D, K = anchors.count / D
        precondition(teacher.count == N * E && teacherAnchors.count == K * E)
        var values = LossValues(
            loss: [Float](repeating: 0, count: N), gradient: [Float](repeating: 0, count: N * D), floor: [Float](repeating: 0, count: N),
            agreement: [Float](repeating: 0, count: N))
        guard N > 0, K > 0, let s = student.baseAddress, let t = teacher.baseAddress, let As = anchors.baseAddress, let At = teacherAnchors.baseAddress else { return values }
        let pieces = (N + Self.pieceRows - 1) / Self.pieceRows
        values.loss.withUnsafeMutableBufferPointer { loss in
            values.floor!.withUnsafeMutableBufferPointer { floor in
                values.agreement!.withUnsafeMutableBufferPointer { agreement in
                    values.gradient.withUnsafeMutableBufferPointer { gradient in
                        let (loss, floor, agreement, gradient) = (loss.baseAddress!, floor.baseAddress!, agreement.baseAddress!, gradient.baseAddress!)
                        Parallel.forEach(pieces) { piece, _ in
                            let rows = Parallel.part(piece, of: pieces, in: N), M = rows.count, first = rows.lowerBound
                            let p = UnsafeMutablePointer<Float>.allocate(capacity: M * K), q = UnsafeMutablePointer<Float>.allocate(capacity: M * K)
                            defer {
                                p.deallocate()
                                q.deallocate()
                            }
                            Matrix.multiply(s + first * D, lda: D, As, .transposed, ldb: D, into: q, ldc: K, m: M, n: K, k: D)
                            Matrix.multiply(t + first * E, lda: E, At, .transposed, ldb: E, into: p, ldc: K, m: M, n: K, k: E)
                            for m in 0..<M {
                                let row = row(q + m * K, p + m * K, K, share: 1 / (Double(N) * studentTemperature))
                                (loss[first + m], floor[first + m], agreement[first + m]) = row
                            }
                            Matrix.multiply(q, lda: K, As, ldb: D, into: gradient + first * D, ldc: D, m: M, n: D, k: K)
                        }
                    }
                }
            }
        }
        return values
    }

    /// Of one row of similarities; the student's become (q − p)·share.
    private func row(_ s: UnsafeMutablePointer<Float>, _ t: UnsafeMutablePointer<Float>, _ K: Int, share: Double) -> (loss: Float, floor: Float, agrees: Float) {
        let (scale, teacherScale) = (Float(1 / studentTemperature), Float(1 / teacherTemperature))
        /// x = (similarity − peak)/τ, but not below −100: e⁻¹⁰⁰ is 0 here, and 0·(−100) is 0 where 0·(−∞) would be NaN.
        func shift(_ row: UnsafeMutablePointer<Float>, _ scale: Float) -> Int {
            var best = 0
            for k in 0..<K where row[k] > row[best] { best = k }
            let peak = row[best]
            for k in 0..<K { row[k] = max(-100, (row[k] - peak) * scale) }
            return best
        }
        let (nearest, teachers) = (shift(s, scale), shift(t, teacherScale))
        // Tile by tile: Σ eᵗ, Σ eᵗ·xₜ, Σ eᵗ·xₛ, Σ eˢ.
        var (Zt, entropy, cross, Zs) = (0.0, 0.0, 0.0, 0.0)
        let buffer = UnsafeMutablePointer<Float>.allocate(capacity: Self.tile)
        defer { buffer.deallocate() }
        for start in stride(from: 0, to: K, by: Self.tile) {
            let count = min(Self.tile, K - start)
            buffer.update(from: t + start, count: count)
            VectorMath.exponential(UnsafeMutableBufferPointer(start: t + start, count: count))
            for k in 0..<count {
                let weight = Double(t[start + k])
                Zt += weight
                entropy += weight * Double(buffer[k])
                cross += weight * Double(s[start + k])
            }
            VectorMath.exponential(UnsafeMutableBufferPointer(start: s + start, count: count))
            for k in 0..<count { Zs += Double(s[start + k]) }
        }
        let (ps, qs) = (Float(share / Zt), Float(share / Zs))
        for k in 0..<K { s[k] = qs * s[k] - ps * t[k] }
        return (Float(log(Zs) - cross / Zt), Float(log(Zt) - entropy / Zt), nearest == teachers ? 1 : 0)
    }
}

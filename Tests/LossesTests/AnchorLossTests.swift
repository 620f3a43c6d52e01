import Foundation
import Losses
import Parallel
import TestSupport
import Testing

/// The loss over anchors of two memories, with equal and different widths.
struct AnchorLossTests {
    private func values(_ loss: AnchorLoss, _ s: [Float], _ As: [Float], _ D: Int, _ t: [Float], _ At: [Float], _ E: Int) -> LossValues {
        s.withUnsafeBufferPointer { s in
            As.withUnsafeBufferPointer { As in
                t.withUnsafeBufferPointer { t in
                    At.withUnsafeBufferPointer { loss.evaluate(student: s, anchors: As, dimension: D, teacher: t, anchors: $0, dimension: E) }
                }
            }
        }
    }

    /// By the formulas, in double precision.
    private func plain(_ loss: AnchorLoss, _ s: [Float], _ As: [Float], _ D: Int, _ t: [Float], _ At: [Float], _ E: Int) -> LossValues {
        let N = s.count / D, K = As.count / D
        var result = LossValues(loss: [], gradient: [Float](repeating: 0, count: N * D), floor: [], agreement: [])
        func softmax(_ x: ArraySlice<Float>, _ anchors: [Float], _ W: Int, _ temperature: Double) -> (logs: [Double], best: Int) {
            let scores = (0..<K).map { k in (0..<W).reduce(0.0) { $0 + Double(x[x.startIndex + $1]) * Double(anchors[k * W + $1]) } / temperature }
            let peak = scores.max() ?? 0, sum = log(scores.reduce(0) { $0 + exp($1 - peak) })
            return (scores.map { $0 - peak - sum }, scores.firstIndex(of: peak) ?? 0)
        }
        for n in 0..<N {
            let q = softmax(s[n * D..<(n + 1) * D], As, D, loss.studentTemperature), p = softmax(t[n * E..<(n + 1) * E], At, E, loss.teacherTemperature)
            result.loss.append(Float(-(0..<K).reduce(0.0) { $0 + exp(p.logs[$1]) * q.logs[$1] }))
            result.floor?.append(Float(-p.logs.reduce(0.0) { $0 + exp($1) * $1 }))
            result.agreement?.append(q.best == p.best ? 1 : 0)
            for k in 0..<K {
                let share = (exp(q.logs[k]) - exp(p.logs[k])) / (Double(N) * loss.studentTemperature)
                for d in 0..<D { result.gradient[n * D + d] += Float(share * Double(As[k * D + d])) }
            }
        }
        return result
    }

    @Test(arguments: [1, 15, 17, 511, 513, 2049, 5000], [12, 40])
    func `memories of any length and two widths give what a plain loop gives, on one thread as on several`(K: Int, E: Int) {
        let (N, D) = (K % 7 + 3, 12), loss = AnchorLoss(studentTemperature: 0.07, teacherTemperature: 0.05)
        // Rows grow along the memory, so that every sum is rescaled.
        func growing(_ rows: [Float], _ W: Int) -> [Float] { rows.indices.map { rows[$0] * (0.5 + Float($0 / W) / Float(K)) } }
        let (s, t) = (normalizedRows(N, D, seed: 1), normalizedRows(N, E, seed: 2))
        let As = growing(normalizedRows(K, D, seed: 3), D), At = E == D ? As : growing(normalizedRows(K, E, seed: 4), E)
        let found = values(loss, s, As, D, t, At, E), expected = plain(loss, s, As, D, t, At, E)
        #expect(relativeError(found.loss, expected.loss) < 1e-5)
        #expect(relativeError(found.gradient, expected.gradient) < 2e-5)
        #expect(relativeError(found.floor ?? [], expected.floor ?? []) < 1e-4)
        #expect(found.agreement == expected.agreement)
        nonisolated(unsafe) var alone: LossValues?
        Parallel.forEach(2) { piece, _ in if piece == 1 { alone = values(loss, s, As, D, t, At, E) } }
        let isSame = alone == found
        #expect(isSame)
    }
}

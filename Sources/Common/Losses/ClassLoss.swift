import Platform

/// Cross-entropy of logits with class labels and with a teacher's logits.
///
///     CE = −ln softmax(z)_y                              ∂CE/∂z = softmax(z) − onehot(y)
///     KD = T²·KL(softmax(t/T) ‖ softmax(z/T))           ∂KD/∂z = T·(softmax(z/T) − softmax(t/T))
///     L = (1 − α)·CE + α·w·KD, the mean over the batch
///
/// Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2. The factor T² keeps both
/// gradients at the same scale.
public enum ClassLoss {
    /// - Parameters:
    ///   - logits: (N, C).
    ///   - labels: (N), each below C; nil if α is 1.
    ///   - teacher: the teacher's logits (N, C) and T; nil for CE alone.
    ///   - weight: w.
    /// - Returns: the loss and the gradient of the mean. Agreement compares the largest logit with the label, or with
    ///   the teacher's largest logit.
    public static func evaluate(logits: [Float], labels: [Int32]?, classes C: Int, teacher: (logits: [Float], temperature: Double)? = nil, alpha: Double = 0, weight: Double = 1) -> LossValues {
        precondition(C > 0 && logits.count % C == 0)
        let N = logits.count / C
        precondition(labels?.count ?? N == N && teacher?.logits.count ?? (N * C) == N * C && labels?.allSatisfy { (0..<Int32(C)).contains($0) } ?? true)
        var loss = [Float](repeating: 0, count: N), agreement = loss, gradient = [Float](repeating: 0, count: N * C)
        for n in 0..<N {
            let z = logits[n * C..<(n + 1) * C].map(Double.init), t = teacher.map { $0.logits[n * C..<(n + 1) * C].map(Double.init) }
            var value = 0.0, d = [Double](repeating: 0, count: C)
            let hard = teacher == nil ? 1 : 1 - alpha
            if let labels, hard > 0 {
                let y = Int(labels[n]), logP = logSoftmax(z, 1)
                value -= hard * logP[y]
                for c in 0..<C { d[c] += hard * (exp(logP[c]) - (c == y ? 1 : 0)) }
            }
            if let teacher, let t {
                let T = teacher.temperature, soft = alpha * weight, logQ = logSoftmax(z, T), logP = logSoftmax(t, T)
                for c in 0..<C {
                    let p = exp(logP[c])
                    if p > 0 { value += soft * T * T * p * (logP[c] - logQ[c]) }
                    d[c] += soft * T * (exp(logQ[c]) - p)
                }
            }
            loss[n] = Float(value)
            for c in 0..<C { gradient[n * C + c] = Float(d[c] / Double(N)) }
            let target = labels.map { Int($0[n]) } ?? t.map(largest)
            agreement[n] = target == largest(z) ? 1 : 0
        }
        return LossValues(loss: loss, gradient: gradient, agreement: agreement)
    }

    private static func largest(_ row: [Double]) -> Int { row.indices.reduce(0) { row[$1] > row[$0] ? $1 : $0 } }

    private static func logSoftmax(_ z: [Double], _ T: Double) -> [Double] {
        let peak = z.max() ?? 0
        let shift = peak / T + log(z.reduce(0) { $0 + exp(($1 - peak) / T) })
        return z.map { $0 / T - shift }
    }
}

import Kernels
import Platform

/// Cross entropy of a softmax over rows of logits.
enum SoftmaxLoss {
    /// Replaces logits (rows, classes) by `scale` times the derivative of their cross entropy.
    ///
    ///     loss = log Σ exp zⱼ − z_y        dz = (softmax(z) − onehot(y)) · scale
    ///
    /// - Parameter stride: floats from one row to the next.
    /// - Returns: the sum of the cross entropies, and how many rows are correct; of equal logits the class with the
    ///   lower number ranks first.
    static func differentiate(
        _ logits: UnsafeMutablePointer<Float>, rows: Int, classes: Int, stride: Int, labels: UnsafePointer<Int32>, scale: Float
    ) -> (loss: Double, correct: Int) {
        var (loss, correct) = (0.0, 0)
        for n in 0..<rows {
            let row = logits + n * stride
            let label = Int(labels[n])
            let largest = maximum(row, classes)
            loss += Double(largest - row[label])
            if row[label] == largest, !(0..<label).contains(where: { row[$0] == largest }) { correct += 1 }
            let sum = exponentiate(row, classes, minus: largest)
            loss += log(sum)
            let inverse = scale / Float(sum)
            for c in 0..<classes { row[c] *= inverse }
            row[label] -= scale
        }
        return (loss, correct)
    }

    /// Replaces a row of logits by probabilities.
    static func softmax(_ row: UnsafeMutablePointer<Float>, classes: Int) {
        let inverse = Float(1 / exponentiate(row, classes, minus: maximum(row, classes)))
        for c in 0..<classes { row[c] *= inverse }
    }

    private static func maximum(_ row: UnsafePointer<Float>, _ count: Int) -> Float {
        var largest = row[0]
        var i = 0
        if count >= 16 {
            var chunk = UnsafeRawPointer(row).loadUnaligned(as: SIMD16<Float>.self)
            while i + 16 <= count {
                let next = UnsafeRawPointer(row + i).loadUnaligned(as: SIMD16<Float>.self)
                chunk.replace(with: next, where: next .> chunk)
                i += 16
            }
            largest = chunk.max()
        }
        while i < count {
            largest = max(largest, row[i])
            i += 1
        }
        return largest
    }

    /// row = exp(row − offset), 0 below e^(−86.9); returns the sum.
    static func exponentiate(_ row: UnsafeMutablePointer<Float>, _ count: Int, minus offset: Float) -> Double {
        var sums = Vector(repeating: 0)
        var i = 0
        while i + 16 <= count {
            let e = Vector.exponential(row.vector(i) - offset)
            row.store(e, i)
            sums += e
            i += 16
        }
        guard i < count else { return Double(sums.sum()) }
        // Lanes beyond the row are ignored.
        let e = Vector.exponential(row.vector(i, count: count - i) - offset)
        row.store(e, i, count: count - i)
        var sum = Double(sums.sum())
        for lane in 0..<count - i { sum += Double(e[lane]) }
        return sum
    }
}

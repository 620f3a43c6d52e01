import Platform

/// Cross entropy of a softmax over rows of logits.
enum SoftmaxLoss {
    /// Turns logits (rows, classes) into `scale` times the derivative of their cross entropy, and returns the sum of the cross entropies.
    ///
    ///     loss = log Σ exp zⱼ − z_y        dz = (softmax(z) − onehot(y)) · scale
    static func differentiate(_ logits: UnsafeMutablePointer<Float>, rows: Int, classes: Int, labels: UnsafePointer<Int32>, scale: Float) -> Double {
        var loss = 0.0
        for n in 0..<rows {
            let row = logits + n * classes
            let label = Int(labels[n])
            let largest = maximum(row, classes)
            loss += Double(largest - row[label])
            let sum = exponentiate(row, classes, minus: largest)
            loss += log(sum)
            let inverse = scale / Float(sum)
            for c in 0..<classes { row[c] *= inverse }
            row[label] -= scale
        }
        return loss
    }

    /// Turns a row of logits into probabilities.
    static func softmax(_ row: UnsafeMutablePointer<Float>, classes: Int) {
        let inverse = Float(1 / exponentiate(row, classes, minus: maximum(row, classes)))
        for c in 0..<classes { row[c] *= inverse }
    }

    /// The cross entropy of one row; the row stays as it is.
    static func value(_ row: UnsafePointer<Float>, classes: Int, label: Int32) -> Double {
        let largest = Double(maximum(row, classes))
        var sum = 0.0
        for c in 0..<classes { sum += exp(Double(row[c]) - largest) }
        return log(sum) + largest - Double(row[Int(label)])
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

    /// row = exp(row − offset); returns the sum.
    static func exponentiate(_ row: UnsafeMutablePointer<Float>, _ count: Int, minus offset: Float) -> Double {
        var sums = SIMD8<Float>()
        var i = 0
        while i + 8 <= count {
            let vector = UnsafeMutableRawPointer(row + i)
            let e = exponential(vector.loadUnaligned(as: SIMD8<Float>.self) - offset)
            vector.storeBytes(of: e, as: SIMD8<Float>.self)
            sums += e
            i += 8
        }
        var sum = Double(sums.sum())
        while i < count {
            row[i] = exponential(SIMD8(repeating: row[i] - offset))[0]
            sum += Double(row[i])
            i += 1
        }
        return sum
    }

    /// exp(x) for x ≤ 0 within 2 units in the last place: 2ⁿ times a polynomial on |r| ≤ ½·ln 2 (Cephes' `expf`). Below −87 it is exp(−87).
    @inline(__always)
    private static func exponential(_ x: SIMD8<Float>) -> SIMD8<Float> {
        let lowest = SIMD8<Float>(repeating: -87)
        let x = x.replacing(with: lowest, where: x .< lowest)
        // Adding 1.5·2²³ leaves the nearest whole number in the low bits.
        let shifted = SIMD8(repeating: 12_582_912).addingProduct(x, SIMD8(repeating: 1.44269504))
        let n = shifted - 12_582_912
        let r = x.addingProduct(n, SIMD8(repeating: -0.693359375)).addingProduct(n, SIMD8(repeating: 2.12194440e-4))
        var p = SIMD8<Float>(repeating: 1.9875691500e-4)
        p = SIMD8(repeating: 1.3981999507e-3).addingProduct(p, r)
        p = SIMD8(repeating: 8.3334519073e-3).addingProduct(p, r)
        p = SIMD8(repeating: 4.1665795894e-2).addingProduct(p, r)
        p = SIMD8(repeating: 1.6666665459e-1).addingProduct(p, r)
        p = SIMD8(repeating: 5.0000001201e-1).addingProduct(p, r)
        let e = (r + 1).addingProduct(p * r, r)
        let bits = (unsafeBitCast(shifted, to: SIMD8<Int32>.self) &+ 127) &<< 23
        return e * unsafeBitCast(bits, to: SIMD8<Float>.self)
    }
}

import Layers
import TestSupport
import Testing

struct L2NormalizationTests {
    private func forward(_ x: [Float], _ N: Int, _ D: Int) -> (y: [Float], norm: [Float]) {
        var (x, y, norm) = (x, [Float](repeating: 9, count: N * D), [Float](repeating: 9, count: N))
        y.withUnsafeMutableBufferPointer { y in
            norm.withUnsafeMutableBufferPointer { norm in
                x.withUnsafeMutableBufferPointer { x in L2Normalization.forward(y: y, norm: norm, x: UnsafeBufferPointer(x), N: N, D: D) }
            }
        }
        return (y, norm)
    }

    private func backward(_ dy: [Float], _ y: [Float], _ norm: [Float], _ N: Int, _ D: Int) -> [Float] {
        var dx = [Float](repeating: 9, count: N * D)
        dx.withUnsafeMutableBufferPointer { dx in
            dy.withUnsafeBufferPointer { dy in
                y.withUnsafeBufferPointer { y in
                    norm.withUnsafeBufferPointer { norm in L2Normalization.backward(dx: dx, dy: dy, y: y, norm: norm, N: N, D: D) }
                }
            }
        }
        return dx
    }

    @Test func `rows and gradients are those of PyTorch's normalize`() throws {
        let golden = try Golden("objectives")
        let (y, norm) = forward(try golden.floats("unit.x"), 5, 7)
        #expect(relativeError(y, try golden.floats("unit.y").map(Double.init)) < 1e-6)
        let dx = backward(try golden.floats("unit.dy"), y, norm, 5, 7)
        let expected = try golden.floats("unit.dx").map(Double.init)
        // Row by row: their sizes differ by 50000.
        for n in 0..<5 { #expect(relativeError(Array(dx[n * 7..<(n + 1) * 7]), Array(expected[n * 7..<(n + 1) * 7])) < 1e-5) }
    }

    @Test func `a row of zeros stays one and its gradient is finite`() {
        let (y, norm) = forward([0, 0, 0, 3, 0, 4], 2, 3)
        #expect(y == [0, 0, 0, 0.6, 0, 0.8])
        #expect(norm == [1e-12, 5])
        let dx = backward([1, 2, 3, 0.6, 0, 0.8], y, norm, 2, 3)
        #expect(dx.allSatisfy { $0.isFinite })
        // Along the row itself nothing changes.
        #expect(dx[3...].allSatisfy { abs($0) < 1e-7 })
    }
}

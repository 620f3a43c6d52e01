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
        // Row by row: their magnitudes differ by a factor of 50000.
        for n in 0..<5 { #expect(relativeError(Array(dx[n * 7..<(n + 1) * 7]), Array(expected[n * 7..<(n + 1) * 7])) < 1e-5) }
    }

    @Test func `a row of zeros stays one and its gradient is finite`() {
        let (y, norm) = forward([0, 0, 0, 3, 0, 4], 2, 3)
        #expect(y == [0, 0, 0, 0.6, 0, 0.8])
        #expect(norm == [1e-12, 5])
        let dx = backward([1, 2, 3, 0.6, 0, 0.8], y, norm, 2, 3)
        // A row without a direction is divided by the smallest length.
        for (found, expected) in zip(dx, [1e12, 2e12, 3e12] as [Float]) { #expect(abs(found / expected - 1) < 1e-6) }
        // Nothing changes along the row itself.
        #expect(dx[3...].allSatisfy { abs($0) < 1e-7 })
    }

    @Test(arguments: [(33, 16), (100, 7), (1000, 130)])
    func `many rows, which several threads share, are each normalised by its own length, also in place`(_ size: (N: Int, D: Int)) {
        let (N, D) = (size.N, size.D), x = formula("x", N * D), dy = formula("dy", N * D), (y, norm) = forward(x, N, D), dx = backward(dy, y, norm, N, D)
        for n in 0..<N {
            let row = n * D..<(n + 1) * D, a = Array(x[row]), b = Array(dy[row])
            let length = dot(a, a).squareRoot(), radial = dot(a, b) / length
            let unit: [Double] = a.map { Double($0) / length }
            let right: [Double] = zip(unit, b).map { u, g in (Double(g) - u * radial) / length }
            #expect(abs(Double(norm[n]) - length) < 1e-6 * length)
            #expect(largestError(Array(y[row]), unit) < 1e-6)
            #expect(largestError(Array(dx[row]), right) < 1e-5)
        }
        let place = Poisoned(x), own = Poisoned(N), back = Poisoned(dy)
        L2Normalization.forward(y: place.all, norm: own.all, x: UnsafeBufferPointer(place.all), N: N, D: D)
        L2Normalization.backward(
            dx: back.all, dy: UnsafeBufferPointer(back.all), y: UnsafeBufferPointer(place.all), norm: UnsafeBufferPointer(own.all), N: N, D: D)
        #expect(firstDifference(place.values(), y) == nil && own.values() == norm && firstDifference(back.values(), dx) == nil)
    }

    @Test func `gradients are the derivative`() {
        let (N, D) = (40, 9), x = formula("x", N * D), dy = formula("dy", N * D), (y, norm) = forward(x, N, D)
        expectDerivative(backward(dy, y, norm, N, D), of: { dot(dy, forward($0, N, D).y) }, at: x, step: 3e-3, tolerance: 1e-3)
    }
}

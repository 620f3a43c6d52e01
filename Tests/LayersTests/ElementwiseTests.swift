import Kernels
import Layers
import TestSupport
import Testing

@Suite struct ElementwiseTests {
    static let activations: [Activation] = [.none, .relu, .relu6, .hardSwish, .silu]

    func forward(_ activation: Activation, _ x: [Float]) -> [Float] {
        let y = Poisoned(x.count)
        Elementwise(activation).forward(y: y.pointer, x: x, count: x.count)
        return y.values()
    }

    func backward(_ activation: Activation, _ dy: [Float], _ x: [Float]) -> [Float] {
        let dx = Poisoned(x.count)
        Elementwise(activation).backward(dx: dx.pointer, dy: dy, x: x, count: x.count)
        return dx.values()
    }

    @Test func `negative values become zero, and so do their gradients`() {
        let x: [Float] = [-2, -0.5, 0, 0.5, 3]
        #expect(forward(.relu, x) == [0, 0, 0, 0.5, 3])
        #expect(backward(.relu, [1, 2, 3, 4, 5], x) == [0, 0, 0, 4, 5])
    }

    @Test func `ReLU6 and its derivative are PyTorch's`() throws {
        let golden = try Golden("layers"), z = formula("z", 400).map { 8 * $0 }
        #expect(forward(.relu6, z) == (try golden.floats("relu6.y")))
        #expect(backward(.relu6, [Float](repeating: 1, count: 400), z) == (try golden.floats("relu6.dz")))
    }

    @Test(arguments: activations)
    func `NaN stays visible`(_ activation: Activation) {
        let y = forward(activation, [.nan, -100])
        #expect(y[0].isNaN && !y[1].isNaN)
    }

    /// The last is split into several pieces.
    @Test(arguments: activations, [1, 3, 8, 17, 24, 40_013])
    func `values and gradients are the definition's, also in place`(_ activation: Activation, _ count: Int) {
        let x = formula("x", count).map { 9 * $0 }, dy = formula("dy", count)
        if count >= 17 { #expect(x.contains { $0 > 6 } && x.contains { $0 < -3 }) }
        #expect(largestError(forward(activation, x), x.map { plain(activation, Double($0)).value }) < 1e-6)
        let expected = zip(dy, x).map { Double($0) * plain(activation, Double($1)).derivative }
        #expect(largestError(backward(activation, dy, x), expected) < 2e-6)
        let inPlace = Poisoned(dy)
        Elementwise(activation).backward(dx: inPlace.pointer, dy: inPlace.pointer, x: x, count: count)
        #expect(firstDifference(inPlace.values(), backward(activation, dy, x)) == nil)
        let over = Poisoned(x)
        Elementwise(activation).forward(y: over.pointer, x: over.pointer, count: count)
        #expect(firstDifference(over.values(), forward(activation, x)) == nil)
    }
}

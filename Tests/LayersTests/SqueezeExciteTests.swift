import Kernels
import Layers
import Platform
import Testing
import TestSupport

@Suite struct SqueezeExciteTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, P: Int, C: Int, K: Int
        let activation: Activation
        let gate: SqueezeExcite.Gate
        var testDescription: String { "\(N) of \(P) pixels, \(C) channels by \(K), \(activation), \(gate)" }
        var layer: SqueezeExcite { SqueezeExcite(C: C, K: K, activation: activation, gate: gate) }
        /// Every image and channel has a different mean, so the gates differ; some are fully closed or open.
        var x: [Float] { formula("x", N * P * C).enumerated().map { i, u in u + 3 * formula("mean \(i / (P * C)) \(i % C)", 1)[0] } }
        var W1: [Float] { formula("W1", K * C).map { $0 / Float(C).squareRoot() } }
        var b1: [Float] { formula("b1", K) }
        var W2: [Float] { formula("W2", C * K).map { 4 * $0 } }
        var b2: [Float] { formula("b2", C) }
        var reference: SqueezeExciteReference { SqueezeExciteReference(C: C, K: K, activation: activation, gate: gate, W1: W1, b1: b1, W2: W2, b2: b2) }
    }

    static let cases = [(1, 1, 1, 1), (1, 9, 3, 2), (3, 49, 24, 8), (2, 169, 17, 5), (9, 3, 40, 13), (1, 50, 200, 8), (10, 900, 72, 24), (16, 26, 40, 13), (17, 50, 21, 3)].flatMap { (N, P, C, K) in
        [
            Case(N: N, P: P, C: C, K: K, activation: .relu, gate: .hardSigmoid), Case(N: N, P: P, C: C, K: K, activation: .silu, gate: .sigmoid),
        ]
    }

    /// Memory for a layer's parameters, which the layer may only read.
    final class Numbers {
        let all: [Poisoned]
        init(_ arrays: [[Float]]) { all = arrays.map { Poisoned($0) } }
        func use(_ body: (SqueezeExcite.Parameters) -> Void) {
            withExtendedLifetime(self) { body(.init(W1: all[0].pointer, b1: all[1].pointer, W2: all[2].pointer, b2: all[3].pointer)) }
        }
    }

    func scratch(_ c: Case) -> Scratch {
        let scratch = Scratch(workers: 4), need = c.layer.scratch(N: c.N)
        scratch.reserve(need)
        scratch.shared.update(repeating: .nan, count: need.shared)
        return scratch
    }

    func forward(_ c: Case, x: [Float], _ numbers: [[Float]]) -> (y: [Float], saved: [Float]) {
        let y = Poisoned(x.count), saved = Poisoned(c.layer.saved(N: c.N))
        Numbers(numbers).use { c.layer.forward(y: y.pointer, saved: saved.pointer, x: x, $0, N: c.N, P: c.P, scratch: scratch(c)) }
        return (y.values(), saved.values())
    }

    func backward(_ c: Case, dy: [Float], adding before: Float = 0, inPlace: Bool = false) -> (dx: [Float], parameters: [[Float]]) {
        let numbers = [c.W1, c.b1, c.W2, c.b2], x = c.x
        let dx = inPlace ? Poisoned(dy) : Poisoned(dy.count), given = Poisoned(dy)
        let gradients = Numbers(numbers.map { $0.map { _ in before } })
        let saved = forward(c, x: x, numbers).saved
        gradients.use { gradients in
            Numbers(numbers).use {
                c.layer.backward(
                    dx: dx.pointer, gradients, dy: inPlace ? dx.pointer : given.pointer, x: x, saved: saved, $0, N: c.N, P: c.P, scratch: scratch(c))
            }
        }
        return (dx.values(), gradients.all.map { $0.values() })
    }

    @Test func `a worked example`() {
        // Means 2 and −1; u = 2·2 − 1·1 + 1 = 4, v = (4 − 3, −4 − 5) = (1, −9): gates 4/6 and 0.
        let c = Case(N: 1, P: 2, C: 2, K: 1, activation: .relu, gate: .hardSigmoid)
        let y = forward(c, x: [1, -3, 3, 1], [[2, 1], [1], [1, -1], [-3, -5]]).y
        #expect(largestError(y, [4.0 / 6, 0, 2, 0]) < 1e-6)
    }

    @Test func `a worked example of the gradients`() {
        // As above, the second gate closed. With dy = 1 for all: dv = (1/6·(1 + 3), 0), du = 1·4/6, ds = (2, 1)·4/6.
        let layer = SqueezeExcite(C: 2, K: 1, activation: .relu, gate: .hardSigmoid), x: [Float] = [1, -3, 3, 1]
        let saved = Poisoned(layer.saved(N: 1)), y = Poisoned(4), dx = Poisoned(4), scratch = Scratch(workers: 1)
        scratch.reserve(layer.scratch(N: 1))
        let gradients = Numbers([[0, 0], [0], [0, 0], [0, 0]])
        Numbers([[2, 1], [1], [1, -1], [-3, -5]]).use { numbers in
            layer.forward(y: y.pointer, saved: saved.pointer, x: x, numbers, N: 1, P: 2, scratch: scratch)
            gradients.use { layer.backward(dx: dx.pointer, $0, dy: [1, 1, 1, 1], x: x, saved: saved.values(), numbers, N: 1, P: 2, scratch: scratch) }
        }
        // dx = gate + ds/2; dW1 = du·s, db1 = du, dW2 = dv·h with h = 4, db2 = dv.
        let third = 1.0 / 3
        #expect(largestError(dx.values(), [4 * third, third, 4 * third, third]) < 1e-6)
        let right: [[Double]] = [[4 * third, -2 * third], [2 * third], [8 * third, 0], [2 * third, 0]]
        for (found, right) in zip(gradients.all, right) { #expect(largestError(found.values(), right) < 1e-6) }
    }

    @Test(arguments: [SqueezeExcite.Gate.sigmoid, .hardSigmoid])
    func `gradients are the derivative`(_ gate: SqueezeExcite.Gate) {
        // Gates and hidden values away from the kinks of hard sigmoids and rectifiers.
        let c = Case(N: 2, P: 6, C: 9, K: 4, activation: .silu, gate: gate), dy = formula("dy", 2 * 6 * 9)
        let numbers = [c.W1, c.b1, c.W2.map { $0 / 4 }, c.b2], x = formula("x", 2 * 6 * 9)
        let dx = Poisoned(x.count), gradients = Numbers(numbers.map { $0.map { _ in 0 } }), saved = forward(c, x: x, numbers).saved
        gradients.use { gradients in
            Numbers(numbers).use { c.layer.backward(dx: dx.pointer, gradients, dy: dy, x: x, saved: saved, $0, N: c.N, P: c.P, scratch: scratch(c)) }
        }
        expectDerivative(dx.values(), of: { dot(dy, forward(c, x: $0, numbers).y) }, at: x, step: 1e-2, tolerance: 1e-3)
        for (i, found) in gradients.all.enumerated() {
            func changed(_ values: [Float]) -> [[Float]] { numbers.indices.map { $0 == i ? values : numbers[$0] } }
            expectDerivative(found.values(), of: { dot(dy, forward(c, x: x, changed($0)).y) }, at: numbers[i], step: 1e-2, tolerance: 1e-3)
        }
    }

    @Test(arguments: cases)
    func `outputs are the definition's`(_ c: Case) {
        #expect(largestError(forward(c, x: c.x, [c.W1, c.b1, c.W2, c.b2]).y, c.reference.forward(x: c.x, N: c.N)) < 3e-6)
    }

    @Test(arguments: cases)
    func `in pixel and with nothing saved the outputs are the same`(_ c: Case) {
        let numbers = [c.W1, c.b1, c.W2, c.b2], y = Poisoned(c.x), scratch = Scratch(workers: 4)
        scratch.reserve(c.layer.inferenceScratch(N: c.N))
        Numbers(numbers).use { c.layer.forward(y: y.pointer, saved: nil, x: y.pointer, $0, N: c.N, P: c.P, scratch: scratch) }
        #expect(firstDifference(y.values(), forward(c, x: c.x, numbers).y) == nil)
    }

    @Test(arguments: cases)
    func `gradients are the definition's, and those of parameters are added`(_ c: Case) {
        let dy = formula("dy", c.N * c.P * c.C), expected = c.reference.backward(dy: dy, x: c.x, N: c.N)
        let found = backward(c, dy: dy)
        #expect(largestError(found.dx, expected.dx) < 1e-5)
        for (a, b) in zip(found.parameters, [expected.dW1, expected.db1, expected.dW2, expected.db2]) where b.contains(where: { $0 != 0 }) { #expect(largestError(a, b) < 1e-5) }
        let added = backward(c, dy: dy, adding: 3, inPlace: true)
        #expect(firstDifference(added.dx, found.dx) == nil)
        for (a, b) in zip(added.parameters, [expected.dW1, expected.db1, expected.dW2, expected.db2]) { #expect(largestError(a, b.map { $0 + 3 }) < 1e-5) }
    }
}

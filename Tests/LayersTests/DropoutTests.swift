import Layers
import TestSupport
import Testing

@Suite struct DropoutTests {
    let randomKey = RandomKey(seed: 5, epoch: 2, step: 7)

    func drop(_ p: Double, _ x: [Float], N: Int, _ randomKey: RandomKey, operation: Int = 3) -> [Float] {
        let y = Poisoned(x.count)
        Dropout(p).apply(y: y.pointer, x: x, N: N, C: x.count / N, randomKey, operation: operation)
        return y.values()
    }

    @Test func `one in five is left out and the others grow by a quarter`() {
        let N = 64, C = 1280, x = [Float](repeating: 8, count: N * C)
        let y = drop(0.2, x, N: N, randomKey)
        #expect(y.allSatisfy { $0 == 0 || $0 == 10 })
        // Five standard deviations of the number of dropped elements: √(81920 · 0.2 · 0.8) = 114.
        let left = y.count { $0 == 0 }
        #expect(abs(Double(left) - 0.2 * Double(N * C)) < 5 * 115)
        // No row and no column is favoured: 12.8 of 64 in a column, with a deviation of 3.2.
        let rows = (0..<N).map { n in y[(n * C)..<((n + 1) * C)].count { $0 == 0 } }
        #expect(rows.allSatisfy { abs(Double($0) - 256) < 5 * 14.4 })
        let columns = (0..<C).map { c in (0..<N).count { y[$0 * C + c] == 0 } }
        #expect(columns.allSatisfy { 1...28 ~= $0 })
    }

    @Test func `the same random key leaves out the same, any other something else`() {
        let x = [Float](repeating: 1, count: 4 * 300), first = drop(0.2, x, N: 4, randomKey)
        #expect(firstDifference(drop(0.2, x, N: 4, randomKey), first) == nil)
        var others = [RandomKey](repeating: randomKey, count: 4)
        others[0].seed = 6
        others[1].epoch = 3
        others[2].step = 8
        others[3].pass = "key"
        for other in others { #expect(firstDifference(drop(0.2, x, N: 4, other), first) != nil, "\(other)") }
        #expect(firstDifference(drop(0.2, x, N: 4, randomKey, operation: 4), first) != nil)
        // Nor do two rows drop the same elements.
        #expect(firstDifference(Array(first.prefix(300)), Array(first.suffix(300))) != nil)
        // A row does not depend on the number of rows.
        #expect(firstDifference(drop(0.2, Array(x.prefix(600)), N: 2, randomKey), Array(first.prefix(600))) == nil)
    }

    @Test func `rows of a part of a batch leave out what they do in the whole`() {
        let x = [Float](repeating: 1, count: 5 * 300), whole = drop(0.2, x, N: 5, randomKey)
        var part = randomKey
        part.rows = [3, 1]
        let expected = Array(whole[900..<1200] + whole[300..<600])
        #expect(firstDifference(drop(0.2, Array(x.prefix(600)), N: 2, part), expected) == nil)
        let layer = StochasticDepth(0.5), factors = (0..<5).map { layer.factor(row: $0, randomKey, operation: 9) }
        #expect((0..<2).map { layer.factor(row: $0, part, operation: 9) } == [factors[3], factors[1]])
    }

    @Test func `whole images are left out of a branch, at the rate asked for`() {
        let layer = StochasticDepth(0.15)
        let factors = (0..<4000).map { layer.factor(row: $0, randomKey, operation: 9) }
        #expect(factors.allSatisfy { $0 == 0 || $0 == Float(1 / 0.85) })
        // Five deviations: √(4000 · 0.15 · 0.85) = 22.6.
        #expect(abs(factors.count { $0 == 0 } - 600) < 113)
        #expect((0..<4000).contains { layer.factor(row: $0, randomKey, operation: 10) != factors[$0] })
    }

    @Test(arguments: [1, 8, 17, 40])
    func `the branch is scaled and the residual is not, forward and back`(_ count: Int) {
        let layer = StochasticDepth(0.5), N = 12
        let x = formula("x", N * count), residual = formula("residual", N * count), dy = formula("dy", N * count)
        let factors = (0..<N).map { layer.factor(row: $0, randomKey, operation: 1) }
        #expect(factors.contains(0) && factors.contains(2))
        let y = Poisoned(x.count)
        layer.forward(y: y.pointer, x: x, residual: residual, N: N, count: count, randomKey, operation: 1)
        #expect(firstDifference(y.values(), x.indices.map { x[$0] * factors[$0 / count] + residual[$0] }) == nil)
        let dx = Poisoned(x.count), dresidual = Poisoned(x.count)
        layer.backward(dx: dx.pointer, dresidual: dresidual.pointer, addingToResidual: false, dy: dy, N: N, count: count, randomKey, operation: 1)
        #expect(firstDifference(dx.values(), dy.indices.map { dy[$0] * factors[$0 / count] }) == nil)
        #expect(firstDifference(dresidual.values(), dy) == nil)
        let inPlace = Poisoned(dy), added = Poisoned(residual)
        layer.backward(
            dx: inPlace.pointer, dresidual: added.pointer, addingToResidual: true, dy: inPlace.pointer, N: N, count: count, randomKey, operation: 1)
        #expect(firstDifference(inPlace.values(), dx.values()) == nil)
        #expect(firstDifference(added.values(), zip(residual, dy).map { $0 + $1 }) == nil)
    }
}

import Kernels
import TestSupport
import Testing

@Suite struct RowsTests {
    @Test(arguments: [0, 1, 15, 16, 17, 33, 100])
    func `add adds each number once`(count: Int) {
        let x = formula("x", count), y = formula("y", count), sum = Poisoned(y)
        Rows.add(x, to: sum.pointer, count: count)
        #expect(sum.values() == zip(x, y).map { $0 + $1 })
    }

    @Test(arguments: [1, 15, 16, 17, 40])
    func `addEach adds the row to every row`(width: Int) {
        let b = formula("b", width), y = formula("y", 3 * width), sum = Poisoned(y)
        Rows.addEach(b, to: sum.pointer, rows: 3, width: width)
        #expect(sum.values() == y.indices.map { y[$0] + b[$0 % width] })
    }

    @Test(arguments: [1, 15, 16, 17, 40])
    func `an epilogue keeps NaN visible, in whole vectors and behind them`(width: Int) {
        for activation in [Activation.none, .relu] {
            for place in [0, width - 1] {
                var y = [Float](repeating: -1, count: width)
                y[place] = .nan
                let row = Poisoned(y)
                [Float](repeating: 0.5, count: width).withUnsafeBufferPointer {
                    Rows.apply(Epilogue(bias: $0.baseAddress, activation: activation), to: row.pointer, into: row.pointer, rows: 1, width: width)
                }
                let found = row.values()
                #expect(found.indices.filter { found[$0].isNaN } == [place])
                #expect(found.enumerated().allSatisfy { $0.offset == place || $0.element == (activation == .relu ? 0 : -0.5) })
            }
        }
    }

    @Test(arguments: [Activation.none, .relu, .relu6, .hardSwish, .silu, .gelu], [1, 7, 8, 16, 17, 24, 31, 40])
    func `an epilogue adds bias and residual and applies the activation`(_ activation: Activation, width: Int) {
        let rows = 5
        let y = formula("y", rows * width).map { 9 * $0 }, bias = formula("b", width), residual = formula("r", rows * width)
        for other in [nil, residual] {
            let found = Poisoned(y)
            bias.withUnsafeBufferPointer { bias in
                residual.withUnsafeBufferPointer { residual in
                    let epilogue = Epilogue(bias: bias.baseAddress, residual: other == nil ? nil : residual.baseAddress, activation: activation)
                    Rows.apply(epilogue, to: found.pointer, into: found.pointer, rows: rows, width: width)
                }
            }
            let expected = y.indices.map { plain(activation, Double(y[$0]) + Double(bias[$0 % width]) + Double(other?[$0] ?? 0)).value }
            #expect(largestError(found.values(), expected) < 3e-7)
            if activation == .relu6, width > 1 { #expect(expected.contains(6) && expected.contains(0)) }
        }
    }

    @Test(arguments: [0, 1, 16, 1000, 600_000])
    func `a buffer begins aligned and zero, and is zero again when told`(count: Int) {
        let buffer = FloatBuffer(count)
        #expect(UInt(bitPattern: buffer.pointer) % 64 == 0)
        #expect(firstDifference(buffer.array, [Float](repeating: 0, count: count)) == nil)
        for i in 0..<count { buffer.mutable[i] = Float(i + 1) }
        buffer.zero()
        #expect(firstDifference(buffer.array, [Float](repeating: 0, count: count)) == nil)
        #expect(FloatBuffer([1, 2, 3]).array == [1, 2, 3])
    }

    @Test func `scratch grows for every worker and keeps what is large enough`() {
        let scratch = Scratch(workers: 3)
        #expect(scratch.workers == 3)
        scratch.reserve(.init(worker: 100))
        let first = (0..<3).map { scratch.pointer($0) }
        #expect(Set(first).count == 3)
        scratch.reserve(.init(worker: 50))
        #expect((0..<3).map { scratch.pointer($0) } == first)
        scratch.reserve(.init(worker: 5000))
        for worker in 0..<3 { for i in 0..<5000 { scratch.pointer(worker)[i] = Float(worker) } }
        for worker in 0..<3 { #expect((0..<5000).allSatisfy { scratch.pointer(worker)[$0] == Float(worker) }) }
    }
}

import Kernels
import Layers
import TestSupport
import Testing

@Suite struct LinearTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, I: Int, O: Int
        var testDescription: String { "\(N) rows, \(I) → \(O)" }

        func forward(_ x: [Float], _ W: [Float], _ b: [Float], _ activation: Activation = .none) -> [Float] {
            let y = Poisoned(N * O)
            Linear(I: I, O: O).forward(y: y.pointer, x: x, W: W, b: b, N: N, activation)
            return y.values()
        }

        /// Gradients, added to the given values; `dx` is set if no value is given.
        func backward(_ dy: [Float], _ x: [Float], _ W: [Float], dx before: [Float]? = nil, dW: Float = 0, db: Float = 0) -> (dx: [Float], dW: [Float], db: [Float]) {
            let dx = before.map { Poisoned($0) } ?? Poisoned(N * I)
            let dW = Poisoned([Float](repeating: dW, count: O * I)), db = Poisoned([Float](repeating: db, count: O))
            Linear(I: I, O: O).backward(dx: dx.pointer, adding: before != nil, dW: dW.pointer, db: db.pointer, dy: dy, x: x, W: W, N: N)
            return (dx.values(), dW.values(), db.values())
        }
    }

    static let cases = [
        Case(N: 1, I: 1, O: 1), Case(N: 3, I: 5, O: 7), Case(N: 2, I: 17, O: 20), Case(N: 1, I: 300, O: 3), Case(N: 5, I: 129, O: 257),
        Case(N: 20, I: 128, O: 128), Case(N: 33, I: 512, O: 130),
    ]

    @Test func `a worked example`() {
        let c = Case(N: 2, I: 2, O: 3)
        let x: [Float] = [1, 2, -1, 3], W: [Float] = [1, 0, 0, 1, 2, -1]
        #expect(c.forward(x, W, [10, 20, -1]) == [11, 22, -1, 9, 23, -6])
        #expect(c.forward(x, W, [10, 20, -1], .relu) == [11, 22, 0, 9, 23, 0])
        let g = c.backward([1, 0, 0, 0, 1, 1], x, W, dW: 100, db: 0.5)
        #expect(g.dx == [1, 0, 2, 0])
        #expect(g.dW == [101, 102, 99, 103, 99, 103])
        #expect(g.db == [1.5, 1.5, 1.5])
        #expect(c.backward([1, 0, 0, 0, 1, 1], x, W, dx: [5, 6, 7, 8]).dx == [6, 6, 9, 8])
    }

    @Test(arguments: cases)
    func `outputs and gradients are the definition's`(_ c: Case) {
        let x = formula("x", c.N * c.I), W = formula("W", c.O * c.I), b = formula("b", c.O), dy = formula("dy", c.N * c.O)
        var y = (0..<(c.N * c.O)).map { Double(b[$0 % c.O]) }
        var dx = [Double](repeating: 0, count: c.N * c.I), dW = [Double](repeating: 2, count: c.O * c.I), db = [Double](repeating: -2, count: c.O)
        for n in 0..<c.N {
            for o in 0..<c.O {
                let g = Double(dy[n * c.O + o])
                db[o] += g
                for i in 0..<c.I {
                    y[n * c.O + o] += Double(x[n * c.I + i]) * Double(W[o * c.I + i])
                    dx[n * c.I + i] += g * Double(W[o * c.I + i])
                    dW[o * c.I + i] += g * Double(x[n * c.I + i])
                }
            }
        }
        let plain = c.forward(x, W, b)
        #expect(largestError(plain, y) < 2e-6)
        #expect(firstDifference(c.forward(x, W, b, .relu), plain.map { max(0, $0) }) == nil)
        let found = c.backward(dy, x, W, dW: 2, db: -2)
        #expect(largestError(found.dx, dx) < 2e-6 && largestError(found.dW, dW) < 2e-6 && largestError(found.db, db) < 2e-6)
        let before = formula("before", dx.count)
        #expect(largestError(c.backward(dy, x, W, dx: before).dx, zip(dx, before).map { $0 + Double($1) }) < 2e-6)
    }

    // Parts of a batch must give the results of the whole batch.
    @Test(arguments: cases)
    func `a packed layer makes the same, each row by itself`(_ c: Case) {
        let x = formula("x", c.N * c.I), W = formula("W", c.O * c.I), b = formula("b", c.O)
        func run(_ rows: Range<Int>, _ b: [Float]?) -> [Float] {
            let y = Poisoned(rows.count * c.O)
            let layer = b.map { PackedLinear(I: c.I, O: c.O, W: W, b: $0) } ?? PackedLinear(I: c.I, O: c.O, W: W, b: nil)
            layer.forward(y: y.pointer, x: Array(x[rows.lowerBound * c.I..<rows.upperBound * c.I]), N: rows.count)
            return y.values()
        }
        let whole = run(0..<c.N, b)
        #expect(largestError(whole, c.forward(x, W, b).map(Double.init)) < 2e-6)
        #expect(largestError(run(0..<c.N, nil), c.forward(x, W, [Float](repeating: 0, count: c.O)).map(Double.init)) < 2e-6)
        for size in 1...3 {
            let parts = stride(from: 0, to: c.N, by: size).flatMap { run($0..<min(c.N, $0 + size), b) }
            #expect(firstDifference(parts, whole) == nil)
        }
    }

    @Test(arguments: cases)
    func `gradients are the derivative, and dx may be left out`(_ c: Case) {
        let x = formula("x", c.N * c.I), W = formula("W", c.O * c.I), b = formula("b", c.O), dy = formula("dy", c.N * c.O)
        let g = c.backward(dy, x, W)
        expectDerivative(g.dx, of: { dot(dy, c.forward($0, W, b)) }, at: x, step: 1, tolerance: 1e-5)
        expectDerivative(g.dW, of: { dot(dy, c.forward(x, $0, b)) }, at: W, step: 1, tolerance: 1e-5)
        expectDerivative(g.db, of: { dot(dy, c.forward(x, W, $0)) }, at: b, step: 1, tolerance: 1e-5)
        let dW = Poisoned([Float](repeating: 0, count: W.count)), db = Poisoned([Float](repeating: 0, count: c.O))
        Linear(I: c.I, O: c.O).backward(dx: nil, adding: false, dW: dW.pointer, db: db.pointer, dy: dy, x: x, W: W, N: c.N)
        #expect(firstDifference(dW.values() + db.values(), g.dW + g.db) == nil)
    }
}

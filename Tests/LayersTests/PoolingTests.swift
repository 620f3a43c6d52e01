import Kernels
import Layers
import TestSupport
import Testing

@Suite struct MaxPoolTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, H: Int, W: Int, C: Int, kernel: Int, stride: Int, padding: Int
        var testDescription: String { "\(N) of \(H)×\(W)×\(C), window \(kernel), stride \(stride), padding \(padding)" }
        var window: Window { Window(H: H, W: W, C: C, kernel: kernel, stride: stride, padding: padding) }
        var inputs: Int { N * H * W * C }
        var outputs: Int { N * window.outputPixels * C }

        func forward(_ x: [Float]) -> (y: [Float], argmax: [UInt8]) {
            let y = Poisoned(outputs)
            var argmax = [UInt8](repeating: 255, count: outputs)
            MaxPool(window: window).forward(y: y.pointer, argmax: &argmax, x: x, N: N)
            return (y.values(), argmax)
        }

        func backward(_ dy: [Float], _ argmax: [UInt8], addingTo before: [Float]? = nil) -> [Float] {
            let dx = before.map { Poisoned($0) } ?? Poisoned(inputs)
            MaxPool(window: window).backward(dx: dx.pointer, adding: before != nil, dy: dy, argmax: argmax, N: N)
            return dx.values()
        }

        /// The index in x that each output takes.
        func sources(_ x: [Float]) -> [Int] {
            (0..<outputs).map { i in
                let c = i % C, ox = i / C % window.outW, oy = i / C / window.outW % window.outH, n = i / C / window.outputPixels
                var best: Int?
                for r in 0..<kernel {
                    for s in 0..<kernel {
                        let (iy, ix) = (oy * stride + r - padding, ox * stride + s - padding)
                        guard (0..<H).contains(iy), (0..<W).contains(ix) else { continue }
                        let place = ((n * H + iy) * W + ix) * C + c
                        if let now = best, x[place] <= x[now] { continue }
                        best = place
                    }
                }
                return best ?? -1
            }
        }
    }

    static let cases = [
        Case(N: 1, H: 1, W: 1, C: 1, kernel: 3, stride: 2, padding: 1), Case(N: 2, H: 3, W: 7, C: 3, kernel: 3, stride: 2, padding: 1),
        Case(N: 3, H: 13, W: 7, C: 17, kernel: 3, stride: 2, padding: 1), Case(N: 1, H: 7, W: 13, C: 20, kernel: 2, stride: 2, padding: 0),
        Case(N: 2, H: 7, W: 7, C: 5, kernel: 7, stride: 1, padding: 3), Case(N: 2, H: 13, W: 13, C: 32, kernel: 3, stride: 1, padding: 1),
        Case(N: 1, H: 3, W: 3, C: 1, kernel: 1, stride: 2, padding: 0), Case(N: 1, H: 13, W: 7, C: 24, kernel: 3, stride: 2, padding: 1),
        Case(N: 2, H: 7, W: 3, C: 8, kernel: 2, stride: 3, padding: 0), Case(N: 1, H: 13, W: 13, C: 100, kernel: 3, stride: 3, padding: 1),
    ]

    @Test func `a worked example`() {
        let c = Case(N: 1, H: 3, W: 3, C: 1, kernel: 3, stride: 2, padding: 1)
        // −1 −5 −2      all is negative, so that padding would win if it were zero
        // −6 −4 −7
        // −3 −8 −9
        let x: [Float] = [-1, -5, -2, -6, -4, -7, -3, -8, -9]
        let (y, argmax) = c.forward(x)
        #expect(y == [-1, -2, -3, -4])
        #expect(argmax == [4, 4, 4, 0])
        #expect(c.backward([1, 10, 100, 1000], argmax) == [1, 0, 10, 0, 1000, 0, 100, 0, 0])
        #expect(c.backward([1, 10, 100, 1000], argmax, addingTo: [1, 2, 3, 4, 5, 6, 7, 8, 9]) == [2, 2, 13, 4, 1005, 6, 107, 8, 9])
    }

    @Test(arguments: cases)
    func `it takes the largest under the window and gives the gradient back there`(_ c: Case) {
        let x = formula("x", c.inputs), dy = formula("dy", c.outputs), before = formula("before", c.inputs)
        let (y, argmax) = c.forward(x)
        let sources = c.sources(x)
        #expect(firstDifference(y, sources.map { x[$0] }) == nil)
        var expected = [Double](repeating: 0, count: c.inputs)
        for (i, source) in sources.enumerated() { expected[source] += Double(dy[i]) }
        #expect(largestError(c.backward(dy, argmax), expected) < 1e-6)
        #expect(largestError(c.backward(dy, argmax, addingTo: before), zip(expected, before).map { $0 + Double($1) }) < 1e-6)
        let alone = Poisoned(c.outputs)
        MaxPool(window: c.window).forward(y: alone.pointer, argmax: nil, x: x, N: c.N)
        #expect(firstDifference(alone.values(), y) == nil)
    }

    @Test(arguments: cases)
    func `the gradient is the derivative`(_ c: Case) {
        // All values differ by at least 1: a step of this size never changes the largest.
        let x = formula("order", c.inputs).enumerated().sorted { $0.element < $1.element }.map { Float($0.offset) }
        let dy = formula("dy", c.outputs)
        expectDerivative(c.backward(dy, c.forward(x).argmax), of: { dot(dy, c.forward($0).y) }, at: x, step: 0.25, tolerance: 1e-4)
    }

    @Test(arguments: [1, 20])
    func `the first of equal values counts`(C: Int) {
        let c = Case(N: 1, H: 2, W: 2, C: C, kernel: 2, stride: 2, padding: 0)
        #expect(c.forward([Float](repeating: 3, count: c.inputs)).argmax == [UInt8](repeating: 0, count: C))
    }

    @Test(arguments: [1, 20])
    func `NaN stays visible`(C: Int) {
        let c = Case(N: 1, H: 3, W: 3, C: C, kernel: 3, stride: 2, padding: 1)
        var x = [Float](repeating: 1, count: c.inputs)
        for k in 0..<C { x[4 * C + k] = .nan }
        #expect(c.forward(x).y.allSatisfy { $0.isNaN })
    }

    @Test(arguments: [1, 20])
    func `where all is −∞ the gradient stays inside the image`(C: Int) {
        let c = Case(N: 1, H: 3, W: 3, C: C, kernel: 3, stride: 2, padding: 1)
        let (y, argmax) = c.forward([Float](repeating: -.infinity, count: c.inputs))
        #expect(y.allSatisfy { $0 == -.infinity })
        let dx = c.backward([Float](repeating: 1, count: c.outputs), argmax)
        #expect(dx.reduce(0, +) == Float(c.outputs))
    }
}

@Suite struct AveragePoolTests {
    static let sizes = [(1, 1, 1), (2, 3, 5), (3, 49, 17), (1, 169, 20), (2, 7, 48), (1, 13, 8), (2, 49, 24), (3, 169, 40), (1, 1, 100), (5, 400, 72)]

    func forward(_ x: [Float], _ N: Int, _ P: Int, _ C: Int) -> [Float] {
        let y = Poisoned(N * C)
        AveragePool.forward(y: y.pointer, x: x, N: N, P: P, C: C)
        return y.values()
    }

    func backward(_ dy: [Float], _ N: Int, _ P: Int, _ C: Int, addingTo before: [Float]? = nil) -> [Float] {
        let dx = before.map { Poisoned($0) } ?? Poisoned(N * P * C)
        AveragePool.backward(dx: dx.pointer, adding: before != nil, dy: dy, N: N, P: P, C: C)
        return dx.values()
    }

    @Test func `a worked example`() {
        #expect(forward([1, 10, 2, 20, 3, 30, 6, 40], 1, 4, 2) == [3, 25])
        #expect(backward([4, 8], 1, 4, 2) == [1, 2, 1, 2, 1, 2, 1, 2])
        #expect(backward([4, 8], 1, 2, 2, addingTo: [1, 1, 10, 10]) == [3, 5, 12, 14])
    }

    @Test(arguments: sizes)
    func `it is the mean, and its gradient the derivative`(_ size: (Int, Int, Int)) {
        let (N, P, C) = size
        let x = formula("x", N * P * C), dy = formula("dy", N * C)
        let expected = (0..<(N * C)).map { i in (0..<P).reduce(0.0) { $0 + Double(x[(i / C * P + $1) * C + i % C]) } / Double(P) }
        #expect(largestError(forward(x, N, P, C), expected) < 1e-6)
        let dx = backward(dy, N, P, C)
        #expect(largestError(dx, (0..<(N * P * C)).map { Double(dy[$0 / C / P * C + $0 % C]) / Double(P) }) < 1e-6)
        expectDerivative(dx, of: { dot(dy, forward($0, N, P, C)) }, at: x, step: 1, tolerance: 1e-5)
        let before = formula("before", N * P * C)
        #expect(largestError(backward(dy, N, P, C, addingTo: before), zip(dx, before).map { Double($0) + Double($1) }) < 1e-6)
    }
}

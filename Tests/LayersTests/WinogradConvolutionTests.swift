import Kernels
import Layers
import TestSupport
import Testing

/// Convolutions by Winograd tiles against direct sums in double precision.
///
/// The guaranteed relative error of a layer is 1e-4 forward and 1e-3 for gradients. The tests use the bounds below,
/// which hold.
@Suite struct WinogradConvolutionTests {
    typealias Case = ConvolutionTests.Case

    static let sides = [(1, 1), (1, 5), (2, 3), (3, 13), (4, 4), (5, 2), (5, 7), (7, 7), (7, 1), (13, 4), (13, 13)]
    static let channels = [(16, 16), (16, 80), (80, 16), (32, 48), (48, 32), (64, 16), (16, 64)]

    /// All sides with every padding that leaves an output, and channels in turn.
    static let cases = sides.enumerated().flatMap { element, side in
        (0...2).compactMap { padding -> Case? in
            guard min(side.0, side.1) + 2 * padding >= 3 else { return nil }
            let (C, K) = channels[(3 * element + padding) % channels.count]
            return Case(N: 1 + element % 3, H: side.0, W: side.1, C: C, K: K, kernel: 3, stride: 1, padding: padding)
        }
    }

    @Test(arguments: cases)
    func `all three directions are the direct sums, up to 1e-5 and 2e-5`(_ c: Case) {
        let x = c.x, W = c.weights, dy = formula("dy", c.outputs)
        let y = c.reference.forward(x: x, W: W, N: c.N), dx = c.reference.backwardData(dy: dy, W: W, N: c.N)
        let dW = c.reference.backwardWeights(dy: dy, x: x, N: c.N)
        func check(_ what: String, _ found: [Float], _ exact: [Double], _ bound: Double) {
            let (relative, largest) = errors(found.map { Double($0) }, exact)
            #expect(relative < bound && largest < bound, "\(what): \(relative), \(largest)")
        }
        check("forward", c.forward(x, W), y, 1e-5)
        check("gradient of the input", c.backwardData(dy, W), dx, 1e-5)
        check("gradient of the weights", c.backwardWeights(dy, x, addingTo: [Float](repeating: 0, count: W.count)), dW, 2e-5)
    }

    /// Layers of ResNet-18 for images of 224×224.
    static let layers = [
        Case(N: 2, H: 56, W: 56, C: 64, K: 64, kernel: 3, stride: 1, padding: 1), Case(N: 3, H: 14, W: 14, C: 256, K: 256, kernel: 3, stride: 1, padding: 1),
        Case(N: 3, H: 7, W: 7, C: 512, K: 512, kernel: 3, stride: 1, padding: 1),
    ]

    /// Inputs around 0, as after batch norm; positive ones, as after a rectifier; badly scaled ones.
    enum Inputs: CaseIterable {
        case centred, rectified, farFromZero

        func values(_ count: Int) -> [Float] {
            let u = formula("x", count)
            return switch self {
            case .centred: u
            case .rectified: u.map { max(0, $0) }
            case .farFromZero: u.map { mean + $0 }
            }
        }
        /// The offset of all values.
        var mean: Float { self == .farFromZero ? 100 : 0 }
    }

    @Test(arguments: layers, Inputs.allCases)
    func `real layers keep to it, at elements drawn at random`(_ c: Case, inputs: Inputs) {
        let x = inputs.values(c.N * c.H * c.W * c.C), W = c.weights, dy = formula("dy", c.outputs)
        let (H, width, C, K) = (c.H, c.W, c.C, c.K)
        /// Σ over taps inside the image, where the output element (n, p, q) meets the input element beside it.
        func forEachTap(_ body: (_ r: Int, _ s: Int) -> Void) { for r in 0..<3 { for s in 0..<3 { body(r, s) } } }
        func inside(_ y: Int, _ x: Int) -> Bool { (0..<H).contains(y) && (0..<width).contains(x) }
        func drawn(_ name: String, below count: Int) -> [Int] { formula(name, 400).map { min(count - 1, Int((Double($0) + 1) / 2 * Double(count))) } }
        func check(_ what: String, _ found: [Float], _ elements: [Int], _ bound: Double, _ exact: (Int) -> (sum: Double, share: Double)) {
            let right = elements.map(exact), own = elements.map { Double(found[$0]) }
            let (relative, largest) = errors(own, right.map { $0.sum + $0.share })
            #expect(relative < bound && largest < 2 * bound, "\(what): \(relative), \(largest)")
            // Relative to the remainder after subtracting the mean's share, as a subsequent batch norm does.
            let rest = errors(zip(own, right).map { $0 - $1.share }, right.map(\.sum))
            #expect(rest.relative < (inputs == .farFromZero ? 2e-4 : bound), "\(what): \(rest)")
        }

        let mean = Double(inputs.mean)
        check("forward", c.forward(x, W), drawn("y", below: c.outputs), 1e-5) { i in
            let k = i % K, q = i / K % width, p = i / K / width % H, n = i / K / width / H
            var (sum, share) = (0.0, 0.0)
            forEachTap { r, s in
                guard inside(p + r - 1, q + s - 1) else { return }
                let from = ((n * H + p + r - 1) * width + q + s - 1) * C, w = (k * 9 + 3 * r + s) * C
                for c in 0..<C {
                    sum += (Double(x[from + c]) - mean) * Double(W[w + c])
                    share += mean * Double(W[w + c])
                }
            }
            return (sum, share)
        }
        let zeros = [Float](repeating: 0, count: W.count)
        check("gradient of the weights", c.backwardWeights(dy, x, addingTo: zeros), drawn("w", below: W.count), 2e-5) { i in
            let c = i % C, s = i / C % 3, r = i / C / 3 % 3, k = i / C / 9
            var (sum, share) = (0.0, 0.0)
            for element in 0..<(dy.count / K) {
                let q = element % width + s - 1, p = element / width % H + r - 1
                guard inside(p, q) else { continue }
                sum += Double(dy[element * K + k]) * (Double(x[((element / width / H * H + p) * width + q) * C + c]) - mean)
                share += Double(dy[element * K + k]) * mean
            }
            return (sum, share)
        }
        // The input gradient does not depend on the input.
        guard inputs == .centred else { return }
        check("gradient of the input", c.backwardData(dy, W), drawn("x", below: x.count), 1e-5) { i in
            let channel = i % C, q = i / C % width, p = i / C / width % H, n = i / C / width / H
            var sum = 0.0
            forEachTap { r, s in
                guard inside(p + 1 - r, q + 1 - s) else { return }
                let from = ((n * H + p + 1 - r) * width + q + 1 - s) * K
                for k in 0..<K { sum += Double(dy[from + k]) * Double(W[(k * 9 + 3 * r + s) * C + channel]) }
            }
            return (sum, 0)
        }
    }

    /// ‖a − b‖ / ‖b‖ and max |a − b| / max |b|
    func errors(_ a: [Double], _ b: [Double]) -> (relative: Double, largest: Double) {
        let differences = zip(a, b).map { abs($0 - $1) }
        func norm(_ v: [Double]) -> Double { v.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        return (norm(differences) / norm(b), (differences.max() ?? 0) / (b.map { abs($0) }.max() ?? 1))
    }

    @Test func `NaN stays visible`() {
        let c = Case(N: 2, H: 9, W: 9, C: 16, K: 16, kernel: 3, stride: 1, padding: 1)
        var x = c.x, dy = formula("dy", c.outputs)
        x[((9 + 4) * 9 + 4) * 16 + 3] = .nan
        let y = c.forward(x, c.weights)
        // All outputs that it reaches, and none of the other image.
        for p in 3...5 { for q in 3...5 { for k in 0..<16 { #expect(y[((9 + p) * 9 + q) * 16 + k].isNaN) } } }
        #expect(y[..<(81 * 16)].allSatisfy { !$0.isNaN })
        #expect(c.backwardWeights(dy, x, addingTo: c.weights).enumerated().allSatisfy { $0.element.isNaN == ($0.offset % 16 == 3) })
        dy[(4 * 9 + 4) * 16 + 3] = .nan
        let dx = c.backwardData(dy, c.weights)
        for p in 3...5 { for q in 3...5 { for k in 0..<16 { #expect(dx[(p * 9 + q) * 16 + k].isNaN) } } }
        #expect(dx[(81 * 16)...].allSatisfy { !$0.isNaN })
    }
}

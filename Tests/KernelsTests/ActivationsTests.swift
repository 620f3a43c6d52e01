import Kernels
import Platform
import Testing
import TestSupport

@Suite struct ActivationsTests {
    /// Every 1500th float between `low` and `high`, of either sign.
    func floats(_ low: Float, _ high: Float) -> [Float] {
        stride(from: UInt32(0), through: max(-low, high).bitPattern, by: 1500).map { Float(bitPattern: $0) }.flatMap { [$0, -$0] }
            .filter { (low...high).contains($0) }
    }

    /// `f` of all numbers, sixteen at a time.
    func each(_ x: [Float], _ f: (Vector) -> Vector) -> [Float] {
        stride(from: 0, to: x.count, by: 16).flatMap { start in
            var v = Vector.zero
            let count = min(16, x.count - start)
            for i in 0..<count { v[i] = x[start + i] }
            v = f(v)
            return (0..<count).map { v[$0] }
        }
    }

    @Test func `the exponential has a relative error below 2e-7`() {
        let inputs = floats(-86.9, 88.7)
        #expect(inputs.count > 1_000_000)
        let worst = largest(zip(inputs, each(inputs, Vector.exponential)).map { abs(Double($1) / exp(Double($0)) - 1) })
        #expect(worst < 2e-7, "\(worst)")
    }

    @Test func `the exponential's ends are 0 and infinity, and NaN stays`() {
        let y = each([-.infinity, -1e30, -87, 0, -0.0, 88.72, 89, 1e30, .infinity, .nan], Vector.exponential)
        #expect(y[0...2].allSatisfy { $0 == 0 } && y[3] == 1 && y[4] == 1)
        #expect(y[5].isFinite && y[6...8].allSatisfy { $0 == .infinity } && y[9].isNaN)
    }

    @Test func `the sigmoid has a relative error below 4e-7, from 0 to 1`() {
        let inputs = floats(-86, 1e30)
        let worst = largest(zip(inputs, each(inputs, Vector.sigmoid)).map { abs(Double($1) * (1 + exp(-Double($0))) - 1) })
        #expect(worst < 4e-7, "\(worst)")
        let ends = each([-.infinity, -1e30, .infinity, .nan], Vector.sigmoid)
        #expect(ends[0] == 0 && ends[1] == 0 && ends[2] == 1 && ends[3].isNaN)
    }

    @Test func `the error function is the C library's`() {
        let x = floats(-6, 6)
        let worst = largest(zip(x, each(x, Vector.errorFunction)).map { abs(Double($1) - erf(Double($0))) / max(1e-30, abs(erf(Double($0)))) })
        #expect(worst < 4e-7, "\(worst)")
        let ends = each([-.infinity, 0, .infinity, .nan], Vector.errorFunction)
        #expect(ends[0] == -1 && ends[1] == 0 && ends[2] == 1 && ends[3].isNaN)
    }

    func check<A: ActivationFunction>(_: A.Type, _ activation: Activation) {
        let z = floats(-80, 80) + [-1e30, 1e30, -3, 3, 0]
        let values = each(z, A.value), slopes = each(z) { A.gradient(Vector(repeating: 2), at: $0) }
        // For z near −3, z + 3 has already lost digits, and so has 1 + erf far below 0: there the error is relative to
        // the argument.
        let worst = largest(zip(z, values).map { z, value in
            let exact = plain(activation, Double(z)).value
            return abs(Double(value) - exact) / max(1e-30, abs(activation == .hardSwish || activation == .gelu ? Double(z) : exact))
        })
        let worstSlope = largest(zip(z, slopes).map { abs(Double($1) - 2 * plain(activation, Double($0)).derivative) })
        #expect(worst < 5e-7, "\(activation): \(worst)")
        #expect(worstSlope < 2e-6, "\(activation): \(worstSlope)")
        #expect(each([.nan], A.value)[0].isNaN)
        #expect(each([.nan]) { A.gradient($0, at: Vector(repeating: 1)) }[0].isNaN)
    }

    @Test func `values and derivatives are the definitions'`() {
        check(Identity.self, .none)
        check(RectifiedLinear.self, .relu)
        check(RectifiedLinear6.self, .relu6)
        check(HardSwish.self, .hardSwish)
        check(SiLU.self, .silu)
        check(GELU.self, .gelu)
        let z = floats(-5, 5)
        #expect(zip(z, each(z, HardSwish.value)).allSatisfy { abs(Double($1) - plain(.hardSwish, Double($0)).value) < 5e-7 })
    }
}

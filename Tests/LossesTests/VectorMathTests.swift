import Foundation
import Losses
import TestSupport
import Testing

struct VectorMathTests {
    private func exponential(_ values: [Float]) -> [Float] {
        var values = values
        values.withUnsafeMutableBufferPointer { VectorMath.exponential($0) }
        return values
    }

    @Test func `the exponential is within two units in the last place`() {
        // Every 1500th float in (−86.9, 88.7).
        var inputs = [Float]()
        for bits in stride(from: UInt32(0), to: Float(88.7).bitPattern, by: 1500) {
            inputs.append(Float(bitPattern: bits))
            if Float(bitPattern: bits) < 86.9 { inputs.append(-Float(bitPattern: bits)) }
        }
        let worst = largest(zip(inputs, exponential(inputs)).map { x, y in
            let exact = exp(Double(x))
            return abs(Double(y) - exact) / Double(Float(exact).ulp)
        })
        #expect(worst < 2, "worst error \(worst) ulp")
        #expect(inputs.count > 1_000_000)
    }

    @Test func `the ends of the range are 0 and infinity, and NaN stays`() {
        let values = exponential([-.infinity, -1e30, -87, 0, -0.0, 88.72, 89, 1e30, .infinity, .nan])
        #expect(values[0] == 0 && values[1] == 0 && values[2] == 0)
        #expect(values[3] == 1 && values[4] == 1)
        #expect(values[5].isFinite && values[6...8].allSatisfy { $0 == .infinity } && values[9].isNaN)
    }

    @Test(arguments: 0...40)
    func `any count of numbers gives each its own result`(count: Int) {
        let inputs = (0..<count).map { Float($0) * 0.7 - 9 }
        for (x, y) in zip(inputs, exponential(inputs)) { #expect(abs(y - exp(x)) <= 2 * exp(x).ulp) }
    }
}

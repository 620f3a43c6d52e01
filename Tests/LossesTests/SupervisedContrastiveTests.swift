import Foundation
import Losses
import TestSupport
import Testing

struct SupervisedContrastiveTests {
    @Test func `losses and gradients are PyTorch's, with lone rows and rows without a class`() throws {
        let golden = try Golden("objectives")
        let labels = try golden.integers("supervised.labels").map(Int32.init)
        let expected = try golden.floats("supervised.loss")
        let values = supervised(try golden.floats("supervised.embeddings"), labels, 16)
        #expect(relativeError(values.loss, expected) < 1e-5)
        #expect(relativeError(values.gradient, try golden.floats("supervised.gradient")) < 1e-5)
        // One row is alone in its class, three have no class.
        #expect(values.counted == labels.count - 4)
        #expect(zip(labels, values.loss).allSatisfy { $0 >= 0 || $1 == 0 })
    }

    @Test func `the gradient is the derivative of the mean loss`() {
        let labels: [Int32] = [0, 1, 0, 2, 1, 1, -1, 0, 5]
        let z = normalizedRows(9, 6, seed: 1)
        for temperature in [0.1, 1] {
            expectDerivative(
                supervised(z, labels, 6, temperature).gradient, of: { supervised($0, labels, 6, temperature).mean }, at: z, step: 2e-3)
        }
    }

    @Test func `one class whose rows are equal has a loss of ln(M − 1), its floor`() {
        let values = supervised((0..<10).flatMap { _ in [Float(0.6), 0.8] }, [Int32](repeating: 3, count: 10), 2)
        #expect(values.loss.count == 10 && values.loss.allSatisfy { abs(Double($0) - log(9)) < 1e-5 })
        #expect(values.floor?.allSatisfy { abs(Double($0) - log(9)) < 1e-6 } == true)
    }

    @Test func `classes that lie apart reach the floor and agree`() {
        let z: [Float] = [1, 0, 1, 0, -1, 0, -1, 0]
        let values = supervised(z, [0, 0, 1, 1], 2, 0.05)
        #expect(values.loss.count == 4 && values.loss.allSatisfy { abs($0) < 1e-6 })
        #expect(values.meanAgreement == 1)
        #expect(supervised(z, [0, 1, 0, 1], 2, 0.05).meanAgreement == 0)
    }

    @Test func `without two rows of a class there is no loss`() {
        for labels: [Int32] in [[], [4], [0, 1, 2], [-1, -1, -1]] {
            let values = supervised(normalizedRows(max(1, labels.count), 4, seed: 1).prefix(labels.count * 4).map { $0 }, labels, 4)
            #expect(values.counted == 0 && values.mean == 0)
            #expect(values.gradient.allSatisfy { $0 == 0 })
        }
    }
}

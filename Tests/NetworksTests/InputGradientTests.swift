import Kernels
import Networks
import TestSupport
import Testing

@Suite struct InputGradientTests {
    @Test func `the gradient of what a network reads is the derivative, of rows and of images`() throws {
        let rows = Network(Head([.linear(12), .batchNorm(), .linear(9, bias: false), .l2Norm]), inputs: 10)
        let images = try #require(Network("tiny-resnet10", head: .linear(8), channels: 2))
        for (network, side, N) in [(rows, 1, 7), (images, 8, 3)] {
            let count = N * side * side * network.channels, x = formula("x", count), dy = formula("dy", N * network.embeddingWidth)
            func output(_ x: [Float]) -> [Float] {
                let run = TrainingRun(network, N: N, height: side, width: side)
                return Array(UnsafeBufferPointer(start: run.forward(formulaWeights(network), images: x), count: dy.count))
            }
            let run = TrainingRun(network, N: N, height: side, width: side, wantsInputGradient: true), weights = formulaWeights(network)
            run.forward(weights, images: x)
            run.backward(weights, dOutput: dy, dParameters: FloatBuffer(network.parameterCount))
            let gradient = try #require(run.inputGradient)
            expectDerivative(
                Array(UnsafeBufferPointer(start: gradient, count: count)), of: { dot(dy, output($0)) }, at: x, step: 1e-3, tolerance: side == 1 ? 5e-3 : 3e-2)
            #expect(TrainingRun(network, N: N, height: side, width: side).inputGradient == nil)
        }
    }
}

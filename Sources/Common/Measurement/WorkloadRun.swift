import Kernels
import Layers
import Networks
import Optimizers

/// Runs a workload with random weights and random images.
public final class WorkloadRun {
    private let batch: () -> Void

    /// - Precondition: the workload's network exists.
    public init(_ workload: Workload) {
        guard let network = Workload.network(workload.network) else { preconditionFailure("no network is named \(workload.network)") }
        let (N, size) = (workload.batch, workload.size)
        let weights = Weights.initialized(network, seed: 0)
        let images = FloatBuffer(N * size * size * 3)
        var state: UInt32 = 1
        for i in 0..<images.count {
            state = state &* 1_664_525 &+ 1_013_904_223
            images.pointer[i] = Float(state >> 8) * 0x1p-23 - 1
        }
        switch workload.kind {
        case .embed:
            let run = InferenceRun(weights, output: .embedding, height: size, width: size, batch: N)
            let result = FloatBuffer(N * run.dimension)
            batch = { run.run(images: images.pointer, N: N, into: result.pointer) }
        case .train:
            let run = TrainingRun(network, N: N, height: size, width: size)
            let gradients = FloatBuffer(network.parameterCount), momenta = FloatBuffer(network.parameterCount)
            let dOutput = FloatBuffer(N * network.embeddingWidth)
            var step = 0
            batch = {
                let output = run.forward(weights, images: images.pointer, randomKey: RandomKey(seed: 0, epoch: 0, step: step))
                step += 1
                // The loss is half the sum of an image's squared outputs, averaged over the batch.
                for i in 0..<dOutput.count { dOutput.pointer[i] = output[i] / Float(N) }
                gradients.zero()
                run.backward(weights, dOutput: dOutput.pointer, dParameters: gradients)
                let parameters = ParameterBuffer(
                    values: weights.parameters.pointer, gradient: gradients.pointer, momentum: momenta.pointer, count: gradients.count)
                SGD().step([parameters], learningRate: 1e-4)
            }
        }
    }

    /// Runs one batch: a training step, or a forward pass.
    public func runBatch() { batch() }
}

import ArgumentParser
import Kernels
import Networks
import ToolSupport

@main
struct Benchmark: Tool {
    static let configuration = CommandConfiguration(
        commandName: "benchmark", abstract: "Measure how fast networks run here.",
        discussion: """
            benchmark resnet18 --batch 16 --size 224

            Random weights and random pictures; the middle of several runs. See also: embed, train-step.
            """)

    @Argument(help: "Networks: \(Network.names.joined(separator: ", ")).") var networks: [String] = ["resnet18"]
    @Option(help: "Pictures in a batch.") var batch = 16
    @Option(help: "Height and width.") var size = 224
    @Option(help: "Runs of each.") var runs = 3
    @OptionGroup var common: CommonOptions

    func validate() throws {
        guard batch > 0, size >= Network.smallestPicture, runs > 0 else { throw ValidationError("--batch, --size and --runs are too small") }
        for name in networks where Network(name, head: .none) == nil {
            throw ValidationError("no network is named '\(name)'; there are \(Network.names.joined(separator: ", "))")
        }
    }

    func run() throws {
        common.start()
        for name in networks {
            guard let network = Network(name, head: .linear(1000)) else { continue }
            let weights = Weights.initialized(network, seed: 0)
            let pictures = FloatBuffer(batch * size * size * 3)
            var state: UInt32 = 1
            for i in 0..<pictures.count {
                state = state &* 1_664_525 &+ 1_013_904_223
                unsafe pictures.pointer[i] = Float(state >> 8) * 0x1p-23 - 1
            }
            let inference = InferenceRun(weights, output: .embedding, height: size, width: size, batch: batch)
            let result = FloatBuffer(batch * inference.dimension)
            let forward = median { unsafe inference.run(pictures: pictures.pointer, N: batch, into: result.pointer) }
            let training = TrainingRun(network, N: batch, height: size, width: size)
            let gradients = FloatBuffer(network.parameterCount)
            let step = median {
                gradients.zero()
                unsafe training.forward(weights, pictures: pictures.pointer)
                unsafe training.backward(weights, dOutput: training.output, dParameters: gradients)
            }
            print("\(name) \(size)×\(size), batch \(batch): forward \(rate(forward)) images/s, forward and backward \(rate(step)) images/s, "
                + "\(training.memory >> 20) MiB to train")
        }
    }

    private func rate(_ seconds: Double) -> String { Progress.short(Double(batch) / seconds) }

    private func median(_ work: () -> Void) -> Double {
        work()
        let times = (0..<runs).map { _ in
            let start = Progress.now()
            work()
            return Progress.now() - start
        }
        return times.sorted()[runs / 2]
    }
}

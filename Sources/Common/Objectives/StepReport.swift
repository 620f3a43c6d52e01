/// The results of one step.
public struct StepReport: Sendable {
    public var images: Int
    public var epoch: Int
    public var step: Int
    public var loss: Double
    public var metrics: [Metric]
    public var learningRate: Double
    public var gradientNorm: Double

    public init(images: Int, epoch: Int, step: Int, loss: Double, metrics: [Metric] = [], learningRate: Double, gradientNorm: Double) {
        (self.images, self.epoch, self.step) = (images, epoch, step)
        (self.loss, self.metrics, self.learningRate, self.gradientNorm) = (loss, metrics, learningRate, gradientNorm)
    }

    /// The value of a metric; nil where the objective does not report it.
    public subscript(metric: String) -> Double? { metrics.first { $0.name == metric }?.value }
}

public import TensorStreams

/// The output of a pass: (N, D).
public struct PassOutput: Sendable {
    public let values: [Float]
    public let N: Int
    public let D: Int

    public init(_ values: [Float], N: Int, D: Int) {
        (self.values, self.N, self.D) = (values, N, D)
    }
}

/// The outputs of the passes of a step, by pass name.
public struct Outputs: Sendable {
    private var outputs: [String: PassOutput] = [:]

    public init() {}

    /// Whether the pass has run. A pass of an optional group of crops may not have.
    public func has(_ pass: Pass) -> Bool { outputs[pass.name] != nil }

    public subscript(pass: Pass) -> PassOutput {
        get {
            guard let output = outputs[pass.name] else { preconditionFailure("pass \(pass.name) has not run") }
            return output
        }
        set { outputs[pass.name] = newValue }
    }
}

/// A record of the stream and its position in the training.
public struct Batch: Sendable {
    public let record: TensorDocument
    /// The number of images.
    public let N: Int
    /// The views of each image, by group of crops.
    public let views: [Int]
    public let epoch: Int
    public let step: Int

    public init(_ record: TensorDocument, N: Int, views: [Int], epoch: Int, step: Int) {
        (self.record, self.N, self.views, self.epoch, self.step) = (record, N, views, epoch, step)
    }

    /// The default advice where labels are missing.
    static let learnWithoutLabels = "use an --objective that learns without labels"

    /// The classes of the images (N).
    ///
    /// - Parameter otherwise: the advice where labels are missing.
    /// - Throws: ``Failure`` where an image has no label, or where the images are mixed.
    func labels(otherwise: String = Batch.learnWithoutLabels) throws -> [Int32] {
        guard record.metadata[TensorDocument.mixKey] == nil else { throw record.failure("has mixed images, each with the label of one of the two", remedy: "leave out --mix-up") }
        let labels = try record.tensor("label", .i32, shape: [N]).integers().map(Int32.init(truncatingIfNeeded:))
        guard labels.allSatisfy({ $0 >= 0 }) else {
            throw record.failure("has images without a label", remedy: "put images in folders named for their classes, or \(otherwise)")
        }
        return labels
    }
}

/// An objective's result for a batch.
public struct Loss: Sendable {
    /// The mean over the batch; not finite where the outputs are not.
    public let value: Double
    /// The gradient of ``value`` with respect to the output (N, D) of each pass that has a gradient.
    public let gradients: [String: [Float]]
    public let metrics: [Metric]

    public init(_ value: Double, gradients: [String: [Float]], metrics: [Metric] = []) {
        (self.value, self.gradients, self.metrics) = (value, gradients, metrics)
    }

    /// The loss of outputs that contain non-finite numbers.
    public static let notFinite = Loss(.nan, gradients: [:])
}

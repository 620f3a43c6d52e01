public import TensorStreams

/// What a pass has made: (N, D).
public struct PassOutput: Sendable {
    public let values: [Float]
    public let N: Int
    public let D: Int

    public init(_ values: [Float], N: Int, D: Int) {
        (self.values, self.N, self.D) = (values, N, D)
    }
}

/// What the passes of a step have made, by their names.
public struct Outputs: Sendable {
    private var outputs: [String: PassOutput] = [:]

    public init() {}

    /// Whether the pass has run: one of a group of crops that a stream need not have may not.
    public func has(_ pass: Pass) -> Bool { outputs[pass.name] != nil }

    public subscript(pass: Pass) -> PassOutput {
        get {
            guard let output = outputs[pass.name] else { preconditionFailure("pass \(pass.name) has not run") }
            return output
        }
        set { outputs[pass.name] = newValue }
    }
}

/// A record of the stream, and where it stands in the training.
public struct Batch: Sendable {
    public let record: TensorDocument
    /// Images.
    public let N: Int
    /// Of each image in each group of crops.
    public let views: [Int]
    public let epoch: Int
    public let step: Int

    public init(_ record: TensorDocument, N: Int, views: [Int], epoch: Int, step: Int) {
        (self.record, self.N, self.views, self.epoch, self.step) = (record, N, views, epoch, step)
    }

    /// What to do without labels, where a method knows nothing better.
    static let learnWithoutLabels = "use an --objective that learns without labels"

    /// The classes of the images (N).
    ///
    /// - Parameter otherwise: what to do without labels.
    /// - Throws: ``Failure`` where one has none.
    func labels(otherwise: String = Batch.learnWithoutLabels) throws -> [Int32] {
        guard record.metadata[TensorDocument.mixKey] == nil else { throw record.failure("has mixed images, each with the label of one of the two", remedy: "leave out --mix-up") }
        let labels = try record.tensor("label", .i32, shape: [N]).integers().map(Int32.init(truncatingIfNeeded:))
        guard labels.allSatisfy({ $0 >= 0 }) else {
            throw record.failure("has images without a label", remedy: "put images in folders named for their classes, or \(otherwise)")
        }
        return labels
    }
}

/// What an objective says of a batch.
public struct Loss: Sendable {
    /// The mean over the batch; not finite where the outputs are not.
    public let value: Double
    /// For each pass that has a gradient, that of ``value`` with respect to its output (N, D).
    public let gradients: [String: [Float]]
    public let metrics: [Metric]

    public init(_ value: Double, gradients: [String: [Float]], metrics: [Metric] = []) {
        (self.value, self.gradients, self.metrics) = (value, gradients, metrics)
    }

    /// That of outputs that hold numbers that are not finite.
    public static let notFinite = Loss(.nan, gradients: [:])
}

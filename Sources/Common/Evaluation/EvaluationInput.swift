public import TensorStreams

/// What a result says about one of its inputs. It leaves out the name: the provenance identifies the input, and a pipe
/// has no name.
public struct EvaluationInput: Sendable {
    public var samples: Int
    /// The number of distinct images among the samples.
    public var images: Int
    public var provenance: [String]
    public var metadata: [String: String]

    public init(_ stream: FeatureStream, images: [Int]) {
        samples = images.count
        self.images = Set(images).count
        provenance = stream.header.provenance.lines
        metadata = stream.header.metadata
        for list in ["classes", "logit_classes"] { metadata[list] = nil }  // long, and the result gives their number
    }

    public var json: JSON {
        var described = JSON.Object()
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { described[key] = .string(value) }
        return [
            "samples": .integer(Int64(samples)), "images": .integer(Int64(images)),
            "provenance": .array(provenance.map { .string($0) }), "metadata": .object(described),
        ]
    }
}

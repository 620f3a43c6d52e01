public import TensorStreams

/// What an evaluation reports besides its accuracies: the features and samples that it used, and remarks about them.
public struct EvaluationSubject: Sendable {
    public let tensor: String
    public let dimension: Int
    public let classes: Int
    public let classesByName: Bool
    /// Whether there are more than five classes, so that top-5 is meaningful.
    public let hasTop5: Bool
    public let train: EvaluationInput
    public let test: EvaluationInput
    /// The number of test samples that are in the training set too.
    public let testInTrain: Int
    /// How much the features of the samples vary.
    public let spread: JSON
    public let trainSpread: JSON
    public var remarks: [String]

    init(
        _ tensor: String, _ matching: ClassMatching, train: (stream: FeatureStream, images: [Int], spread: FeatureSpread),
        test: (stream: FeatureStream, images: [Int], spread: FeatureSpread), _ twins: TwinSearch?
    ) {
        self.tensor = tensor
        dimension = test.stream.dimension
        (classes, classesByName, hasTop5) = (matching.count, matching.byName, matching.hasTop5)
        self.train = EvaluationInput(train.stream, images: train.images)
        self.test = EvaluationInput(test.stream, images: test.images)
        testInTrain = twins?.count ?? 0
        (spread, trainSpread) = (test.spread.json, train.spread.json)
        // Both sets come from one network, so one remark is enough.
        let collapse = test.spread.remark("test", classes: classes, tensor: tensor) ?? train.spread.remark("training", classes: classes, tensor: tensor)
        remarks = matching.remarks + [collapse, test.spread.zeroRemark("test"), train.spread.zeroRemark("training"), twins?.remark, train.stream.remark, test.stream.remark].compactMap { $0 }
    }

    /// Members of the value `protocol`.
    var protocolMembers: JSON.Object {
        [
            "tensor": .string(tensor), "dimension": .integer(Int64(dimension)), "classes": .integer(Int64(classes)),
            "classes_matched_by": .string(classesByName ? "name" : "number"),
        ]
    }

    /// The last members of a result.
    var members: JSON.Object {
        [
            "train": train.json, "test": test.json, "test_samples_in_train": .integer(Int64(testInTrain)), "test_spread": spread,
            "train_spread": trainSpread, "remarks": .array(remarks.map { .string($0) }),
        ]
    }
}

/// Results that papers report for small students on ImageNet, for comparison with a run's own numbers on ImageNet.
///
/// Linear evaluation of the student at 224×224, by each paper's own protocol (``LinearProtocol``), from the tables of
/// BINGO (Xu et al., "Bag of Instances Aggregation Boosts Self-supervised Distillation", ICLR 2022).
public struct PublishedResult: Sendable, Equatable {
    /// The value of `initialize --network`.
    public let student: String
    public let method: String
    /// The teacher's network, method and own linear top-1; nil where the student learns without a teacher.
    public let teacher: String?
    /// In percent.
    public let top1: Double
    public let top5: Double?

    private init(_ student: String, _ method: String, _ teacher: String?, _ top1: Double, _ top5: Double? = nil) {
        (self.student, self.method, self.teacher, self.top1, self.top5) = (student, method, teacher, top1, top5)
    }

    private static let teachers = ["ResNet-50, MoCo-v2, 67.4 %", "ResNet-152, MoCo-v2, 74.1 %", "ResNet-50×2, SwAV, 77.3 %"]

    private static func rows(_ student: String, _ method: String, _ numbers: [(Double, Double?)?]) -> [PublishedResult] {
        zip(teachers, numbers).compactMap { teacher, pair in pair.map { PublishedResult(student, method, teacher, $0.0, $0.1) } }
    }

    public static let all: [PublishedResult] =
        [PublishedResult("resnet18", "MoCo-v2", nil, 52.5, 77.0)]
        + rows("resnet18", "SEED", [(57.6, 81.8), (59.5, 83.3), (63.0, 84.9)])
        + rows("resnet18", "DisCo", [(60.6, 83.7), (65.5, 86.7), (65.2, 86.8)])
        + rows("resnet18", "BINGO", [(61.4, 84.3), (65.9, 87.1), (65.5, 87.0)])
        + [PublishedResult("resnet34", "MoCo-v2", nil, 57.4, 81.6)]
        + rows("resnet34", "SEED", [(58.5, 82.6), (62.7, 85.8), (65.7, 86.8)])
        + rows("resnet34", "DisCo", [(62.5, 85.4), (68.1, 88.6), (67.6, 88.6)])
        + rows("resnet34", "BINGO", [(63.5, 85.7), (69.1, 88.9), (68.9, 89.0)])
        + [PublishedResult("efficientnet-b0", "MoCo-v2", nil, 42.2)]
        + rows("efficientnet-b0", "SEED", [nil, nil, (67.6, nil)]) + rows("efficientnet-b0", "DisCo", [(66.5, nil), nil, (69.1, nil)]) + rows("efficientnet-b0", "BINGO", [nil, nil, (69.3, nil)])
        + [PublishedResult("mobilenet-v3-large", "MoCo-v2", nil, 36.3)]
        + rows("mobilenet-v3-large", "SEED", [nil, nil, (68.2, nil)]) + rows("mobilenet-v3-large", "DisCo", [nil, nil, (58.9, nil)]) + rows("mobilenet-v3-large", "BINGO", [nil, nil, (67.1, nil)])

    /// The published results that a student's numbers can be compared with; none unless the classes are ImageNet's
    /// thousand, by the names of their folders.
    public static func comparable(student: String, classes: [String]) -> [PublishedResult] {
        let isImageNet = classes.count == 1000 && classes.allSatisfy { $0.count == 9 && $0.hasPrefix("n") && $0.dropFirst().allSatisfy(\.isNumber) }
        return isImageNet ? all.filter { $0.student == student } : []
    }
}

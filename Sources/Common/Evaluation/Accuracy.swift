/// Counts of test samples whose class is ranked first and among the first five.
public struct Accuracy: Sendable, Equatable {
    public var top1 = 0
    public var top5 = 0
    public var samples = 0

    public init() {}

    public init(top1: Int, top5: Int, samples: Int) {
        self.top1 = top1
        self.top5 = top5
        self.samples = samples
    }

    /// Counts a sample whose class has rank `rank` (0 is first); nil where the classifier does not know the class.
    public mutating func count(rank: Int?) {
        samples += 1
        guard let rank else { return }
        if rank < 1 { top1 += 1 }
        if rank < 5 { top5 += 1 }
    }

    /// Top-1 accuracy in percent.
    public var top1Percent: Double { samples == 0 ? 0 : 100 * Double(top1) / Double(samples) }
    /// Top-5 accuracy in percent.
    public var top5Percent: Double { samples == 0 ? 0 : 100 * Double(top5) / Double(samples) }

    public static func + (a: Accuracy, b: Accuracy) -> Accuracy {
        Accuracy(top1: a.top1 + b.top1, top5: a.top5 + b.top5, samples: a.samples + b.samples)
    }
}

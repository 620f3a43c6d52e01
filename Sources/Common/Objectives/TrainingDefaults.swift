public import Optimizers

/// The settings of a training that a method's paper recommends, as its code has them.
public struct TrainingDefaults: Sendable, Equatable {
    public var optimizer: OptimizerName
    /// The learning rate of batches of 256; of others it is in proportion to their images.
    public var rate: Double
    /// Whether it grows with the root of the batch's images instead.
    public var growsWithRoot = false
    public var momentum = 0.9
    public var weightDecay: Double
    public var schedule: ScheduleName
    public var epochs: Int
    /// Epochs of warm-up.
    public var warmUp = 0.0
    /// Of the schedule `swav` what the warm-up begins with, as a share of the rate.
    public var startShare = 0.0
    /// What the last steps are near, as a share of the rate.
    public var endShare = 0.0
    /// Of the schedule `steps`: the epochs, from 0, from which on the rate is multiplied by `factor` once more.
    public var milestones: [Int] = []
    public var factor = 0.1
    /// The recipe of `augment`, and the smallest share of an image that its crop takes.
    public var recipe: String
    public var smallestCrop: Double
    /// Groups of crops in place of that share; empty for views of one size.
    public var crops: [Crops] = []

    /// Crops of one size.
    public struct Crops: Sendable, Equatable {
        public var views: Int
        /// Their height and width where the networks' images have 224.
        public var size: Int
        /// The share of an image that they take.
        public var scale: ClosedRange<Double>

        public init(views: Int, size: Int = 224, scale: ClosedRange<Double>) { (self.views, self.size, self.scale) = (views, size, scale) }

        /// As `augment --crops` takes them, in proportion to images of `size`, but no smaller than networks take.
        public func text(size: Int) -> String {
            func plain(_ share: Double) -> String { share == 1 ? "1" : "\(share)" }
            return "\(views)x\(self.size == 224 ? size : max(8, (self.size * size + 112) / 224))@\(plain(scale.lowerBound))-\(plain(scale.upperBound))"
        }
    }

    init(
        _ optimizer: OptimizerName, rate: Double, growsWithRoot: Bool = false, weightDecay: Double, _ schedule: ScheduleName, epochs: Int, warmUp: Double = 0, startShare: Double = 0, endShare: Double = 0,
        milestones: [Int] = [], factor: Double = 0.1, recipe: String, smallestCrop: Double, crops: [Crops] = []
    ) {
        (self.optimizer, self.rate, self.weightDecay, self.schedule, self.epochs, self.warmUp) = (optimizer, rate, weightDecay, schedule, epochs, warmUp)
        (self.startShare, self.endShare, self.milestones, self.factor, self.recipe, self.smallestCrop) = (startShare, endShare, milestones, factor, recipe, smallestCrop)
        (self.growsWithRoot, self.crops) = (growsWithRoot, crops)
    }

    /// Of methods that say nothing else: SEED's.
    public static let usual = TrainingDefaults(.sgd, rate: 0.03, weightDecay: 1e-4, .seed, epochs: 200, warmUp: 5, recipe: "moco-v2", smallestCrop: 0.2)

    /// The groups of crops as `augment --crops` takes them, where images have this size; nil for views of one size.
    public func cropsText(size: Int) -> String? { crops.isEmpty ? nil : crops.map { $0.text(size: size) }.joined(separator: " ") }

    private var rateText: String { growsWithRoot ? "\((rate * 1000).rounded() / 1000)" : "\(rate)" }

    /// In a line: "sgd, rate 0.05 for 256 images, weight decay 0.0001, cosine over 100 epochs; views: moco-v2, crops of 0.2 to 1".
    public var text: String {
        var parts = ["\(optimizer.rawValue), rate \(rateText) for 256 images\(growsWithRoot ? ", growing with their root" : "")", "weight decay \(weightDecay)"]
        let share = endShare > 0 ? " to \(endShare) of the rate" : ""
        switch schedule {
        case .steps: parts.append("×\(factor) from epochs \(milestones.map { "\($0)" }.joined(separator: " and ")) of \(epochs) on")
        default: parts.append("\(schedule.rawValue)\(share) over \(epochs) epochs" + (warmUp > 0 ? ", \(warmUp == warmUp.rounded() ? "\(Int(warmUp))" : "\(warmUp)") of warm-up" : ""))
        }
        let crops = cropsText(size: 224).map { "crops \($0)" } ?? "crops of \(smallestCrop) to 1"
        return parts.joined(separator: ", ") + "; views: \(recipe), \(crops)"
    }
}

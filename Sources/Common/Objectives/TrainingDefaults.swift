public import Optimizers

/// The training settings that a method's paper recommends, as in its code.
public struct TrainingDefaults: Sendable, Equatable {
    public var optimizer: OptimizerName
    /// The learning rate for batches of 256. For other sizes it is proportional to the number of images.
    public var rate: Double
    /// Whether the rate scales with the square root of the number of images instead.
    public var growsWithRoot = false
    public var momentum = 0.9
    public var weightDecay: Double
    public var schedule: ScheduleName
    public var epochs: Int
    /// Epochs of warm-up.
    public var warmUp = 0.0
    /// For the schedule `swav`: the initial rate of the warm-up, as a share of the rate.
    public var startShare = 0.0
    /// The rate that the last steps approach, as a share of the rate.
    public var endShare = 0.0
    /// For the schedule `steps`: the epochs, from 0, at which the rate is multiplied by `factor`.
    public var milestones: [Int] = []
    public var factor = 0.1
    /// The recipe of `augment`, and the smallest share of an image that its crop takes.
    public var recipe: String
    public var smallestCrop: Double
    /// Groups of crops, which replace that share; empty for views of one size.
    public var crops: [Crops] = []

    /// Crops of one size.
    public struct Crops: Sendable, Equatable {
        public var views: Int
        /// Their height and width for networks with images of size 224.
        public var size: Int
        /// The share of an image that they cover.
        public var scale: ClosedRange<Double>

        public init(views: Int, size: Int = 224, scale: ClosedRange<Double>) { (self.views, self.size, self.scale) = (views, size, scale) }

        /// The argument of `augment --crops`, scaled to images of `size` but not below the smallest size that
        /// networks take.
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

    /// The default for methods without their own settings: SEED's.
    public static let usual = TrainingDefaults(.sgd, rate: 0.03, weightDecay: 1e-4, .seed, epochs: 200, warmUp: 5, recipe: "moco-v2", smallestCrop: 0.2)

    /// The argument of `augment --crops` for all groups at this image size; nil for views of one size.
    public func cropsText(size: Int) -> String? { crops.isEmpty ? nil : crops.map { $0.text(size: size) }.joined(separator: " ") }

    private var rateText: String { growsWithRoot ? "\((rate * 1000).rounded() / 1000)" : "\(rate)" }

    /// A one-line description: "sgd, rate 0.05 for 256 images, weight decay 0.0001, cosine over 100 epochs; views:
    /// moco-v2, crops of 0.2 to 1".
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

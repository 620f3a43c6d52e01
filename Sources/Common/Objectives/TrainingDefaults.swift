public import Optimizers

/// The settings of a training that a method's paper recommends, as its code has them.
public struct TrainingDefaults: Sendable, Equatable {
    public var optimizer: OptimizerName
    /// The learning rate of batches of 256; of others it is in proportion to their images.
    public var rate: Double
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

    init(
        _ optimizer: OptimizerName, rate: Double, weightDecay: Double, _ schedule: ScheduleName, epochs: Int, warmUp: Double = 0, endShare: Double = 0,
        milestones: [Int] = [], factor: Double = 0.1, recipe: String, smallestCrop: Double
    ) {
        (self.optimizer, self.rate, self.weightDecay, self.schedule, self.epochs, self.warmUp) = (optimizer, rate, weightDecay, schedule, epochs, warmUp)
        (self.endShare, self.milestones, self.factor, self.recipe, self.smallestCrop) = (endShare, milestones, factor, recipe, smallestCrop)
    }

    /// Of methods that say nothing else: SEED's.
    public static let usual = TrainingDefaults(.sgd, rate: 0.03, weightDecay: 1e-4, .seed, epochs: 200, warmUp: 5, recipe: "moco-v2", smallestCrop: 0.2)

    /// How `augment` makes such views.
    public var augmentOptions: [String] { ["--recipe", recipe, "--crop-scale", "\(smallestCrop),1"] }

    /// In a line: "sgd, rate 0.05 for 256 images, weight decay 0.0001, cosine over 100 epochs; views: moco-v2, crops of 0.2 to 1".
    public var text: String {
        var parts = ["\(optimizer.rawValue), rate \(rate) for 256 images", "weight decay \(weightDecay)"]
        let share = endShare > 0 ? " to \(endShare) of the rate" : ""
        switch schedule {
        case .steps: parts.append("×\(factor) from epochs \(milestones.map { "\($0)" }.joined(separator: " and ")) of \(epochs) on")
        default: parts.append("\(schedule.rawValue)\(share) over \(epochs) epochs" + (warmUp > 0 ? ", \(warmUp == warmUp.rounded() ? "\(Int(warmUp))" : "\(warmUp)") of warm-up" : ""))
        }
        return parts.joined(separator: ", ") + "; views: \(recipe), crops of \(smallestCrop) to 1"
    }
}

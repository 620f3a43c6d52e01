import Platform

/// The learning rate as a function of epoch and step.
///
///     let schedule = Schedule.seed(rate: 0.03, batch: 256, epochs: 200)
///     schedule.rate(epoch: 7, step: 100, stepsPerEpoch: 5004)
///
/// Epochs and steps count from 0. The first four schedules change the rate once per epoch, the others at every step.
public enum Schedule: Sendable, Equatable {
    /// A constant rate.
    case constant(rate: Double)
    /// MoCo-v2: rate · ½(1 + cos(π·epoch/epochs)).
    case cosine(rate: Double, epochs: Int)
    /// SEED: a cosine of rate·batch/256 that starts at epoch 0, with the first `warmUp` epochs replaced by a linear
    /// ramp from `rate` to `rate`·batch/256. The rate therefore jumps slightly where the ramp ends, as in the authors'
    /// code.
    case seed(rate: Double, batch: Int, epochs: Int, warmUp: Int = 5)
    /// MoCo-v1 and linear evaluation: the rate times `factor` for every milestone reached.
    case steps(rate: Double, milestones: [Int], factor: Double = 0.1)
    /// Per step: a linear ramp from 0 to `rate` over the first `warmUp` epochs, then a cosine from `rate` to `end` at
    /// the end of the last epoch.
    case smooth(rate: Double, epochs: Int, warmUp: Double = 0, end: Double = 0)
    /// SimCLR, BYOL and Barlow Twins: step i of w warm-up steps uses i/w of the rate, so the first step changes
    /// nothing. A cosine follows that starts at `rate`. Its last step stays above `end`, one step short of it. `beyond`
    /// counts further steps that are in the cosine's length but never taken (1 in SimCLR's code), which leave it still
    /// further above.
    case warmUpCosine(rate: Double, epochs: Int, warmUp: Double = 0, end: Double = 0, beyond: Int = 0)
    /// SwAV: a linear ramp from `start` to `rate` over the warm-up, with both values among its steps, then the same
    /// cosine.
    case swav(rate: Double, epochs: Int, warmUp: Double = 0, start: Double = 0, end: Double = 0)

    /// The requested rate and the number of epochs until it is reached.
    public var begin: (rate: Double, warmUp: Double) {
        switch self {
        case .constant(let rate), .cosine(let rate, _), .steps(let rate, _, _): (rate, 0)
        case .seed(let rate, _, _, let warmUp): (rate, Double(warmUp))
        case .smooth(let rate, _, let warmUp, _), .warmUpCosine(let rate, _, let warmUp, _, _), .swav(let rate, _, let warmUp, _, _): (rate, warmUp)
        }
    }

    /// The learning rate of one step.
    public func rate(epoch: Int, step: Int = 0, stepsPerEpoch: Int = 1) -> Double {
        switch self {
        case .constant(let rate):
            return rate
        case .cosine(let rate, let epochs):
            return rate * Schedule.halfCosine(Double(epoch) / Double(max(1, epochs)))
        case .seed(let rate, let batch, let epochs, let warmUp):
            let scaled = rate * Double(batch) / 256
            if epoch < warmUp { return rate + (scaled - rate) / Double(warmUp) * Double(epoch) }
            return scaled * Schedule.halfCosine(Double(epoch) / Double(max(1, epochs)))
        case .steps(let rate, let milestones, let factor):
            return milestones.reduce(rate) { epoch >= $1 ? $0 * factor : $0 }
        case .smooth(let rate, let epochs, let warmUp, let end):
            let stepsPerEpoch = Double(max(1, stepsPerEpoch))
            let now = Double(epoch) + Double(step) / stepsPerEpoch
            // The first step already has a nonzero rate: step i of w uses (i + 1)/w of the rate.
            if now < warmUp { return rate * min(1, (now + 1 / stepsPerEpoch) / warmUp) }
            let progress = (now - warmUp) / max(Double(epochs) - warmUp, 1 / stepsPerEpoch)
            return end + (rate - end) * Schedule.halfCosine(progress)
        case .warmUpCosine(let rate, let epochs, let warmUp, let end, let beyond):
            let (i, w, cosine) = Self.steps(epoch, step, stepsPerEpoch, epochs: epochs, warmUp: warmUp, beyond: beyond)
            return i < w ? rate * i / w : end + (rate - end) * cosine
        case .swav(let rate, let epochs, let warmUp, let start, let end):
            let (i, w, cosine) = Self.steps(epoch, step, stepsPerEpoch, epochs: epochs, warmUp: warmUp)
            return i < w ? start + (rate - start) * (w > 1 ? i / (w - 1) : 0) : end + (rate - end) * cosine
        }
    }

    /// The step number, the number of warm-up steps, and the cosine over the steps after it, which starts at 1.
    private static func steps(_ epoch: Int, _ step: Int, _ stepsPerEpoch: Int, epochs: Int, warmUp: Double, beyond: Int = 0) -> (i: Double, warmUp: Double, cosine: Double) {
        let perEpoch = Double(max(1, stepsPerEpoch)), i = Double(epoch) * perEpoch + Double(step), w = (warmUp * perEpoch).rounded()
        return (i, w, halfCosine((i - w) / max(1, Double(epochs) * perEpoch + Double(beyond) - w)))
    }

    /// ½(1 + cos(π·progress)): 1 at 0, 0 at 1 and beyond.
    private static func halfCosine(_ progress: Double) -> Double {
        0.5 * (1 + cos(Double.pi * min(1, max(0, progress))))
    }
}

/// The cases of ``Schedule``, as given to `--schedule`.
public enum ScheduleName: String, Sendable, CaseIterable {
    case seed, cosine, smooth, constant, steps
    case warmUpCosine = "warm-up-cosine"
    case swav
}

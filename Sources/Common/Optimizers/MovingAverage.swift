import Parallel
import Platform

/// The exponential moving average that updates a momentum encoder from the trained encoder.
public enum MovingAverage {
    /// Updates k ← momentum·k + (1 − momentum)·q for each pair of buffers.
    ///
    /// He et al., "Momentum Contrast", CVPR 2020, eq. 2, with momentum 0.999. MoCo applies it to the parameters before
    /// the keys' forward pass. Batch norm's running statistics are not averaged.
    public static func update(
        _ averages: [UnsafeMutableBufferPointer<Float>], towards current: [UnsafeBufferPointer<Float>], momentum: Double
    ) {
        precondition(averages.count == current.count)
        for (average, current) in zip(averages, current) { precondition(average.count == current.count) }
        let pieces = Pieces(averages.map(\.count)).pieces
        let (old, new) = (Float(momentum), Float(1 - momentum))
        Parallel.forEach(pieces.count) { piece, _ in
            let (buffer, range) = pieces[piece]
            guard let k = averages[buffer].baseAddress, let q = current[buffer].baseAddress else { return }
            for i in range { k[i] = old * k[i] + new * q[i] }
        }
    }
}

/// The schedule of a moving average's momentum.
public enum AverageMomentum: Sendable, Equatable {
    /// A constant, as in MoCo.
    case constant(Double)
    /// BYOL's schedule (Grill et al., NeurIPS 2020, section 3): 1 − (1 − from)·½(1 + cos(π·step/steps)), from `from` to
    /// 1.
    case cosine(from: Double)

    /// - Parameters:
    ///   - step: counts from 0.
    ///   - steps: the number of steps of the whole training.
    public func value(step: Int, of steps: Int) -> Double {
        switch self {
        case .constant(let momentum): momentum
        case .cosine(let first): 1 - (1 - first) * 0.5 * (1 + cos(Double.pi * min(1, Double(step) / Double(max(1, steps)))))
        }
    }
}

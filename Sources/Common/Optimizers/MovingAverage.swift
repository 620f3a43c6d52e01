import Parallel

/// The moving average that a momentum encoder is of its trained twin.
public enum MovingAverage {
    /// k ← momentum·k + (1 − momentum)·q, for each pair of buffers.
    ///
    /// He et al., "Momentum Contrast", CVPR 2020, eq. 2, where momentum is 0.999. MoCo applies it to the parameters, before the keys'
    /// forward pass; batch norm's running statistics are not averaged.
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

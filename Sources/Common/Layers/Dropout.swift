import Kernels
import Parallel
import Randomness

/// The random key of a training step: every random number is a function of the key, the operation and the row in the
/// batch.
public struct RandomKey: Sendable, Equatable {
    public var seed: UInt64
    public var epoch: Int
    public var step: Int
    /// The name of the pass: an additional pass does not change the numbers of the others.
    public var pass: String
    /// For a part of a batch, the index in the whole batch of each row; nil for the whole batch.
    public var rows: [Int]?

    public init(seed: UInt64, epoch: Int, step: Int, pass: String = "", rows: [Int]? = nil) {
        self.seed = seed
        self.epoch = epoch
        self.step = step
        self.pass = pass
        self.rows = rows
    }

    /// The random numbers for one row of the batch in one operation.
    func random(operation: Int, row: Int) -> CounterRandom {
        CounterRandom(seed: seed ^ passKey, .dropout, epoch: epoch, item: (step &* 4096 &+ operation) << 20 &+ (rows?[row] ?? row))
    }

    private var passKey: UInt64 { FNV1a.of(pass) }
}

/// Zeroes values at random and rescales the rest: y = x · m / (1 − p), where m is 0 with probability p, else 1
/// (Srivastava et al. 2014).
public struct Dropout: Sendable {
    public let probability: Double

    /// - Precondition: 0 ≤ `probability` < 1.
    public init(_ probability: Double) {
        precondition((0..<1).contains(probability))
        self.probability = probability
    }

    /// Sets y (N, C), which may be x itself. The same random key gives the same numbers, so the backward pass calls it
    /// with the gradients.
    public func apply(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, N: Int, C: Int, _ randomKey: RandomKey, operation: Int) {
        let scale = Float(1 / (1 - probability))
        Parallel.forEach(N) { n, _ in
            var random = randomKey.random(operation: operation, row: n)
            for i in (n * C)..<((n + 1) * C) { y[i] = kept(&random) ? x[i] * scale : 0 }
        }
    }

    func kept(_ random: inout CounterRandom) -> Bool { Double(random.nextWord()) * 0x1p-32 >= probability }
}

/// Drops the branch of a residual block for whole images at random and rescales the rest: y = x · m / (1 − p) +
/// residual, with one m per image (Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016; torchvision's mode
/// "row").
public struct StochasticDepth: Sendable {
    public let probability: Double

    /// - Precondition: 0 ≤ `probability` < 1.
    public init(_ probability: Double) {
        precondition((0..<1).contains(probability))
        self.probability = probability
    }

    /// The factor of the branch of image `row`.
    public func factor(row: Int, _ randomKey: RandomKey, operation: Int) -> Float {
        var random = randomKey.random(operation: operation, row: row)
        return Dropout(probability).kept(&random) ? Float(1 / (1 - probability)) : 0
    }

    /// Sets y (N, count), which may be x itself.
    public func forward(
        y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, residual: UnsafePointer<Float>, N: Int, count: Int, _ randomKey: RandomKey,
        operation: Int
    ) {
        Parallel.forEach(N) { n, _ in
            let factor = factor(row: n, randomKey, operation: operation), start = n * count
            forEachVector(count) { i, lanes in
                y.store(residual.vector(start + i, lanes: lanes).addingProduct(x.vector(start + i, lanes: lanes), Vector(repeating: factor)), start + i, lanes: lanes)
            }
        }
    }

    /// Sets dx = dy · m / (1 − p), which may be dy itself. Sets dresidual = dy or adds to it.
    public func backward(
        dx: UnsafeMutablePointer<Float>, dresidual: UnsafeMutablePointer<Float>, addingToResidual: Bool, dy: UnsafePointer<Float>, N: Int,
        count: Int, _ randomKey: RandomKey, operation: Int
    ) {
        Parallel.forEach(N) { n, _ in
            let factor = factor(row: n, randomKey, operation: operation), start = n * count
            forEachVector(count) { i, lanes in
                let g = dy.vector(start + i, lanes: lanes)
                dresidual.store(addingToResidual ? dresidual.vector(start + i, lanes: lanes) + g : g, start + i, lanes: lanes)
                dx.store(g * factor, start + i, lanes: lanes)
            }
        }
    }
}

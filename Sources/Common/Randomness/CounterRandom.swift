import Platform

/// Random numbers that are a pure function of a key and a counter, without state carried between sequences.
///
/// Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011). The key is the user's seed.
/// The upper half of the counter holds the use (``Stream``), an epoch and an item; the lower half counts the draws. So
/// every sample of every epoch has its own sequence, independent of earlier draws and of threads.
///
///     var random = CounterRandom(seed: 7, .augmentation, epoch: 3, item: index)
///     let scale = random.uniform(0.2, 1)
public struct CounterRandom: RandomNumberGenerator, Sendable {
    /// The purpose of the numbers. Two purposes never share numbers.
    public enum Stream: UInt32, CaseIterable, Sendable {
        case order = 1
        case augmentation = 2
        case initialization = 3
        case queue = 4
        case batchNormShuffle = 5
        case probe = 6
        case synthesis = 7
        case dropout = 8
        case trial = 9
        case labels = 10
        case archiveOrder = 11
        case bag = 12
        case mix = 13
        case test = 99
    }

    private let key: (UInt32, UInt32)
    /// Words: block number, item low, item high and stream, epoch.
    private var counter: (UInt32, UInt32, UInt32, UInt32)
    private var block: (UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0)
    private var used = 4

    public init(seed: UInt64, _ stream: Stream, epoch: Int = 0, item: Int = 0) {
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        let item = UInt64(bitPattern: Int64(item))
        counter = (0, UInt32(truncatingIfNeeded: item), UInt32(truncatingIfNeeded: item >> 32) ^ (stream.rawValue << 24), UInt32(truncatingIfNeeded: epoch))
    }

    /// The next 32 random bits.
    public mutating func nextWord() -> UInt32 {
        if used == 4 {
            block = Self.philox(counter, key)
            counter.0 &+= 1
            used = 0
        }
        used += 1
        switch used {
        case 1: return block.0
        case 2: return block.1
        case 3: return block.2
        default: return block.3
        }
    }

    public mutating func next() -> UInt64 {
        let low = UInt64(nextWord())
        return low | UInt64(nextWord()) << 32
    }

    /// Uniform in [0, 1), a multiple of 2⁻⁵³.
    public mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Uniform in [low, high).
    public mutating func uniform(_ low: Double, _ high: Double) -> Double { low + (high - low) * uniform() }

    /// Uniform in 0..<bound, without bias (Lemire 2019).
    public mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0)
        let bound = UInt64(bound)
        var product = next().multipliedFullWidth(by: bound)
        if product.low < bound {
            let threshold = (0 &- bound) % bound
            while product.low < threshold { product = next().multipliedFullWidth(by: bound) }
        }
        return Int(product.high)
    }

    /// Normal with mean 0 and standard deviation 1 (Box–Muller; two uniform draws each).
    public mutating func normal() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * Double.pi * uniform())
    }

    /// A random permutation of 0..<count (Fisher–Yates).
    public mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, below(last + 1)) }
        return order
    }

    /// Ten rounds of Philox 4×32.
    public static func philox(_ counter: (UInt32, UInt32, UInt32, UInt32), _ key: (UInt32, UInt32)) -> (UInt32, UInt32, UInt32, UInt32) {
        var (c0, c1, c2, c3) = counter
        var (k0, k1) = key
        for _ in 0..<10 {
            let p0 = UInt64(0xD251_1F53) * UInt64(c0)
            let p1 = UInt64(0xCD9E_8D57) * UInt64(c2)
            (c0, c1, c2, c3) = (
                UInt32(truncatingIfNeeded: p1 >> 32) ^ c1 ^ k0, UInt32(truncatingIfNeeded: p1),
                UInt32(truncatingIfNeeded: p0 >> 32) ^ c3 ^ k1, UInt32(truncatingIfNeeded: p0)
            )
            k0 &+= 0x9E37_79B9
            k1 &+= 0xBB67_AE85
        }
        return (c0, c1, c2, c3)
    }
}

import Foundation
import Platform

/// How much the tests try: a little of every kind in `make test`, and enough in `make test-long` to find rare faults.
///
/// Random choices depend on a seed. `make test` always uses the same seed, `make test-long` a new one each time; a
/// test's failure reports seed and round, and `make test-long TEST_SEED=n` repeats it.
public enum Effort {
    /// The seed of the long tests, from SEED_TEST_LONG; nil in the short tests.
    private static let long = ProcessInfo.processInfo.environment["SEED_TEST_LONG"].flatMap { UInt64($0) }

    public static let isLong = long != nil
    public static let seed = long ?? 0

    public static func rounds(_ few: Int, long many: Int) -> Int { isLong ? many : few }

    /// Random numbers for one round of a test.
    public static func random(_ test: String, round: Int) -> SplitMix {
        var mix = SplitMix(state: seed)
        for byte in "\(test) \(round)".utf8 { mix.state = mix.next() ^ UInt64(byte) }
        return mix
    }

    /// The text to add to a failure, so that it can be repeated.
    public static func place(_ round: Int) -> String { "seed \(seed), round \(round)" }

    /// Reports how much was tried; `make test-long` collects these lines at its end.
    public static func report(_ what: String) {
        let line = "tried: \(what)\n"
        _ = write(1, line, line.utf8.count)
    }
}

/// Random numbers from a seed (Steele, Lea and Flood 2014).
public struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

import CProcessor
import Kernels

/// The nearest k so far of one query, among as many candidates again: when these are full, the k nearest are chosen and the others go.
///
/// A candidate is a number that is the larger, the nearer it is: its similarity in the upper half, in the order of its bits, and in the lower one the training sample's number, of which the smaller goes first.
struct Nearest {
    private let candidates: UnsafeMutablePointer<UInt64>
    private let k: Int
    private var count = 0
    /// What a sample must be nearer than. Samples come in order, so one that is only as near as the farthest of k is behind it.
    private(set) var limit = -Float.infinity

    static func capacity(_ k: Int) -> Int { k + max(k, 8) }

    init(_ candidates: UnsafeMutablePointer<UInt64>, k: Int) { (self.candidates, self.k) = (candidates, k) }

    private static func candidate(_ similarity: Float, _ index: Int) -> UInt64 {
        let bits = (similarity + 0).bitPattern  // −0 is as near as 0
        let ordered = bits >> 31 == 0 ? bits | 1 << 31 : ~bits
        return UInt64(ordered) << 32 | UInt64(~UInt32(truncatingIfNeeded: index))
    }

    private static func neighbour(_ candidate: UInt64) -> Neighbour {
        let ordered = UInt32(truncatingIfNeeded: candidate >> 32)
        return Neighbour(
            similarity: Float(bitPattern: ordered >> 31 == 1 ? ordered & ~(1 << 31) : ~ordered), index: Int32(truncatingIfNeeded: ~UInt32(truncatingIfNeeded: candidate)))
    }

    /// Takes the training samples `first...`, or what is near enough of them.
    ///
    /// - Parameters:
    ///   - scores: their similarities, wrong by less than `rounding`.
    ///   - similarity: that of one of them, by which it is judged and kept.
    /// - Returns: how many it was asked for.
    @inline(__always)
    mutating func take(_ scores: UnsafePointer<Float>, count width: Int, first: Int, rounding: Float, similarity: (_ sample: Int) -> Float) -> Int {
        var (i, least, looked) = (0, limit - rounding, 0)
        while i + 32 <= width {
            var places = scores.vector(i).lanes(above: least) | scores.vector(i + 16).lanes(above: least) << 16
            while places != 0 {
                let j = i + places.trailingZeroBitCount
                places &= places - 1
                // The limit may have risen since.
                guard scores[j] > least else { continue }
                looked += 1
                if take(similarity(j), first + j) { least = limit - rounding }
            }
            i += 32
        }
        while i < width {
            if scores[i] > least {
                looked += 1
                if take(similarity(i), first + i) { least = limit - rounding }
            }
            i += 1
        }
        return looked
    }

    /// Takes the training sample `index` if it is near enough; those of lower numbers come before.
    ///
    /// - Returns: whether there is another limit now.
    mutating func take(_ similarity: Float, _ index: Int) -> Bool {
        guard similarity > limit else { return false }
        candidates[count] = Self.candidate(similarity, index)
        count += 1
        guard count == Self.capacity(k) else { return false }
        choose()
        return true
    }

    /// Brings the k nearest to the front, the farthest of them last, and forgets the others: quickselect, its partition (Lomuto's) without a branch that nobody could foretell.
    private mutating func choose() {
        var (low, high) = (0, count - 1)
        while low < high {
            // The middle one of three; of so many different numbers no order that comes is a bad one for long.
            let middle = (low + high) / 2, (a, b, c) = (candidates[low], candidates[middle], candidates[high])
            let pivot = max(min(a, b), min(max(a, b), c)), place = pivot == a ? low : pivot == b ? middle : high
            (candidates[place], candidates[high]) = (candidates[high], pivot)
            var nearer = low
            for i in low..<high {
                let candidate = candidates[i]
                (candidates[i], candidates[nearer]) = (candidates[nearer], candidate)
                nearer += candidate > pivot ? 1 : 0
            }
            (candidates[nearer], candidates[high]) = (pivot, candidates[nearer])
            // low … nearer − 1 are nearer than the pivot.
            if nearer == k - 1 { break }
            if nearer > k - 1 { high = nearer - 1 } else { low = nearer + 1 }
        }
        count = k
        limit = Self.neighbour(candidates[k - 1]).similarity
    }

    /// The nearest k, or as many as there are, nearest first.
    mutating func sorted() -> [Neighbour] {
        if count > k { choose() }
        var all = UnsafeMutableBufferPointer(start: candidates, count: count)
        all.sort(by: >)
        return all.map(Self.neighbour)
    }
}

extension SIMD16<Float> {
    /// A bit for each lane that is larger than `least`, the first of them the lowest.
    @inline(__always)
    func lanes(above least: Float) -> UInt32 { seed_lanes_above(self, least) }
}

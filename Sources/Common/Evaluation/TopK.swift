import CProcessor
import Kernels

/// The k nearest samples so far of one query, in a buffer that holds about as many further candidates. When the buffer
/// is full, the k nearest are selected and the others dropped.
///
/// A candidate is an integer that is larger the nearer the sample is. Its upper half is the similarity, with bits that
/// sort in order. Its lower half is the training sample's number, of which the smaller sorts first.
struct TopK {
    private let candidates: UnsafeMutablePointer<UInt64>
    private let k: Int
    private var count = 0
    /// A sample must be nearer than this. Samples come in order, so one that is only as near as the k-th ranks behind
    /// it.
    private(set) var limit = -Float.infinity

    static func capacity(_ k: Int) -> Int { k + max(k, 8) }

    init(_ candidates: UnsafeMutablePointer<UInt64>, k: Int) { (self.candidates, self.k) = (candidates, k) }

    private static func candidate(_ similarity: Float, _ index: Int) -> UInt64 {
        let bits = (similarity + 0).bitPattern  // −0 equals 0
        let ordered = bits >> 31 == 0 ? bits | 1 << 31 : ~bits
        return UInt64(ordered) << 32 | UInt64(~UInt32(truncatingIfNeeded: index))
    }

    private static func neighbour(_ candidate: UInt64) -> Neighbour {
        let ordered = UInt32(truncatingIfNeeded: candidate >> 32)
        return Neighbour(
            similarity: Float(bitPattern: ordered >> 31 == 1 ? ordered & ~(1 << 31) : ~ordered), index: Int32(truncatingIfNeeded: ~UInt32(truncatingIfNeeded: candidate)))
    }

    /// Takes those of the training samples `first...` that are near enough.
    ///
    /// - Parameters:
    ///   - scores: their similarities, with an error of less than `rounding`.
    ///   - similarity: computes the similarity of one sample exactly, for the decision and the result.
    /// - Returns: how many times `similarity` was called.
    @inline(__always)
    mutating func take(_ scores: UnsafePointer<Float>, count width: Int, first: Int, rounding: Float, similarity: (_ sample: Int) -> Float) -> Int {
        var (i, least, looked) = (0, limit - rounding, 0)
        while i + 32 <= width {
            var places = scores.vector(i).lanes(above: least) | scores.vector(i + 16).lanes(above: least) << 16
            while places != 0 {
                let j = i + places.trailingZeroBitCount
                places &= places - 1
                // The limit may have risen in the meantime.
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

    /// Takes the training sample `index` if it is near enough; samples must come in the order of their numbers.
    ///
    /// - Returns: whether the limit has changed.
    mutating func take(_ similarity: Float, _ index: Int) -> Bool {
        guard similarity > limit else { return false }
        candidates[count] = Self.candidate(similarity, index)
        count += 1
        guard count == Self.capacity(k) else { return false }
        choose()
        return true
    }

    /// Moves the k nearest to the front, the farthest of them last, and drops the others.
    ///
    /// It is quickselect with a branch-free Lomuto partition, because the branch would be unpredictable.
    private mutating func choose() {
        var (low, high) = (0, count - 1)
        while low < high {
            // The median of three; all candidates differ, so no order stays a bad one for long.
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

    /// The k nearest, or all if there are fewer, nearest first.
    mutating func sorted() -> [Neighbour] {
        if count > k { choose() }
        var all = UnsafeMutableBufferPointer(start: candidates, count: count)
        all.sort(by: >)
        return all.map(Self.neighbour)
    }
}

extension SIMD16<Float> {
    /// A bit mask of the lanes that are larger than `least`; the first lane is the lowest bit.
    @inline(__always)
    func lanes(above least: Float) -> UInt32 { seed_lanes_above(self, least) }
}

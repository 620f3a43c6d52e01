/// Assigns temporary values to offsets in one block of memory, so that later values reuse the space of earlier ones.
///
/// It only computes offsets; the memory is allocated once, when the plan is complete.
struct Arena {
    private(set) var size = 0
    /// Unused ranges below `size`, sorted and never adjacent.
    private var free: [Range<Int>] = []

    /// A range of `count` floats, aligned to a cache line.
    mutating func take(_ count: Int) -> Range<Int> {
        let count = (count + 15) / 16 * 16
        // The smallest range that is large enough.
        if let best = free.indices.filter({ free[$0].count >= count }).min(by: { free[$0].count < free[$1].count }) {
            let range = free[best].lowerBound..<(free[best].lowerBound + count)
            if range.upperBound == free[best].upperBound {
                free.remove(at: best)
            } else {
                free[best] = range.upperBound..<free[best].upperBound
            }
            return range
        }
        var start = size
        if let last = free.last, last.upperBound == size {
            start = last.lowerBound
            free.removeLast()
        }
        size = start + count
        return start..<size
    }

    mutating func give(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        var merged = range
        let index = free.firstIndex { $0.lowerBound > range.lowerBound } ?? free.endIndex
        if index < free.endIndex, free[index].lowerBound == merged.upperBound {
            merged = merged.lowerBound..<free[index].upperBound
            free.remove(at: index)
        }
        if index > 0, free[index - 1].upperBound == merged.lowerBound {
            free[index - 1] = free[index - 1].lowerBound..<merged.upperBound
        } else {
            free.insert(merged, at: index)
        }
    }
}

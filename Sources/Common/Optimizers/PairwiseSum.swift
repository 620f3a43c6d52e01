public import Kernels
import Parallel

/// The sum of what is computed in groups one after the other, added in pairs: ((0 + 1) + (2 + 3)) + ((4 + 5) + …).
///
/// Neighbours are added first, so that the bits depend on the number of groups alone, and whoever has computed a run of 2ᵏ groups, beginning at a multiple of it, can add those by
/// himself. Of n groups at most log₂ n sums are kept.
///
///     for group in 0..<n { buffers = …; sum.add(isLast: group == n - 1) }    // buffers hold the sum of all
public final class PairwiseSum {
    private let buffers: [FloatBuffer]
    /// Sums of 2ᵏ groups, of more of them first.
    private var sums: [(groups: Int, values: [FloatBuffer])] = []
    /// Memory of sums that have been added to others.
    private var free: [[FloatBuffer]] = []

    /// - Parameter buffers: hold each group's numbers when ``add(isLast:)`` is called, and the sum after the last one.
    public init(_ buffers: [FloatBuffer]) { self.buffers = buffers }

    /// Adds what the buffers hold to the groups before.
    public func add(isLast: Bool) {
        var groups = 1
        while let last = sums.last, last.groups == groups || isLast {
            for (sum, buffer) in zip(last.values, buffers) { PairwiseSum.add(sum, to: buffer) }
            groups += last.groups
            free.append(sums.removeLast().values)
        }
        guard !isLast else { return }
        let own = free.popLast() ?? buffers.map { FloatBuffer($0.count) }
        for (sum, buffer) in zip(own, buffers) { sum.pointer.update(from: buffer.pointer, count: buffer.count) }
        sums.append((groups, own))
    }

    /// y ← x + y.
    private static func add(_ x: FloatBuffer, to y: FloatBuffer) {
        let (x, y) = (x.buffer, y.mutable)
        let pieces = Pieces([y.count]).pieces
        Parallel.forEach(pieces.count) { piece, _ in
            for i in pieces[piece].1 { y[i] = x[i] + y[i] }
        }
    }
}

public import Kernels
import Parallel

/// A partial sum over the groups of a batch: that of 2ᵏ groups starting at a multiple of 2ᵏ, which is one subtree of
/// the additions.
struct SumNode: Equatable {
    let first: Int
    let count: Int

    /// Whether `next`, which follows immediately, is the other half of the same subtree.
    func isSibling(of next: SumNode) -> Bool { count == next.count && first % (2 * count) == 0 }

    /// The largest subtrees that make up a range of groups, in order.
    static func nodes(of groups: Range<Int>) -> [SumNode] {
        var nodes: [SumNode] = [], first = groups.lowerBound
        while first < groups.upperBound {
            var count = 1
            while first % (2 * count) == 0, first + 2 * count <= groups.upperBound { count *= 2 }
            nodes.append(SumNode(first: first, count: count))
            first += count
        }
        return nodes
    }

    /// The additions that reduce all nodes to one sum, in order: each adds the node numbered `from` to the node
    /// numbered `to`.
    ///
    /// The result is in the place of node 0.
    static func additions(_ nodes: [SumNode]) -> [(to: Int, from: Int)] {
        var additions: [(to: Int, from: Int)] = [], stack: [(node: SumNode, number: Int)] = []
        func join(_ left: (node: SumNode, number: Int), _ right: (node: SumNode, number: Int)) -> (node: SumNode, number: Int) {
            additions.append((left.number, right.number))
            return (SumNode(first: left.node.first, count: left.node.count + right.node.count), left.number)
        }
        for (number, node) in nodes.enumerated() {
            var last = (node: node, number: number)
            while let before = stack.last, before.node.isSibling(of: last.node) { last = join(stack.removeLast(), last) }
            stack.append(last)
        }
        while stack.count > 1 {
            let last = stack.removeLast()
            stack.append(join(stack.removeLast(), last))
        }
        return additions
    }
}

/// The sum of values that are computed in groups, added in pairs: ((0 + 1) + (2 + 3)) + ((4 + 5) + …).
///
/// Adjacent groups are added first. The bits of the result therefore depend only on the number of groups, and each
/// process can add its adjacent groups locally as far as they form whole subtrees. For n groups at most 2 log₂ n sums
/// are kept.
///
///     let sum = PairwiseSum(buffers, groups: 0..<n)
///     for group in 0..<n { buffers = …; sum.add() }    // buffers hold the sum of all
public final class PairwiseSum: @unchecked Sendable {
    private let buffers: [FloatBuffer]
    private let groups: Range<Int>
    /// Whether these are all groups.
    private let isWhole: Bool
    private var next: Int
    /// Sums that wait for their siblings, in the order of their groups.
    private var sums: [(node: SumNode, values: [FloatBuffer])] = []
    /// The memory of sums that have been added to others, for reuse.
    private var free: [[FloatBuffer]] = []

    /// - Parameters:
    ///   - buffers: the values of each group when ``add()`` is called. After the last call they hold the sum of all
    ///     groups, or of the last local subtree.
    ///   - groups: the groups that are added here.
    ///   - isWhole: whether there are no other groups.
    public init(_ buffers: [FloatBuffer], groups: Range<Int>, isWhole: Bool = true) {
        (self.buffers, self.groups, self.isWhole) = (buffers, groups, isWhole)
        next = groups.lowerBound
    }

    /// Whether the next group to add is the last one.
    public var isLast: Bool { next == groups.upperBound - 1 }

    /// Adds the contents of the buffers to the previous groups.
    public func add() {
        let isLast = isLast
        guard !isLast else { return addLast() }
        var node = SumNode(first: next, count: 1)
        next += 1
        while let last = sums.last, last.node.isSibling(of: node) {
            for (sum, buffer) in zip(last.values, buffers) { PairwiseSum.add(sum, to: buffer) }
            node = SumNode(first: last.node.first, count: last.node.count + node.count)
            free.append(sums.removeLast().values)
        }
        let own = free.popLast() ?? buffers.map { FloatBuffer($0.count) }
        for (sum, buffer) in zip(own, buffers) { sum.pointer.update(from: buffer.pointer, count: buffer.count) }
        sums.append((node, own))
    }

    private func addLast() {
        for (number, buffer) in buffers.enumerated() { addLast(number, 0..<buffer.count, isAlone: true) }
        endLast()
    }

    /// Adds a part of one buffer for the last group.
    ///
    /// May be called from any thread, once for each part, before ``endLast()``.
    ///
    /// - Parameter isAlone: whether all threads may be used.
    func addLast(_ buffer: Int, _ range: Range<Int>, isAlone: Bool) {
        for node in joined {
            let x = FloatBuffer(part: sums[node].values[buffer], from: range.lowerBound, count: range.count)
            let y = FloatBuffer(part: buffers[buffer], from: range.lowerBound, count: range.count)
            if isAlone { PairwiseSum.add(x, to: y) } else { for i in 0..<y.count { y.pointer[i] = x.pointer[i] + y.pointer[i] } }
        }
    }

    /// The sums to which the last group is added, one after the other: those of its subtree, or all.
    private var joined: [Int] {
        var found: [Int] = [], node = SumNode(first: groups.upperBound - 1, count: 1)
        for number in sums.indices.reversed() {
            guard isWhole || sums[number].node.isSibling(of: node) else { break }
            node = SumNode(first: sums[number].node.first, count: sums[number].node.count + node.count)
            found.append(number)
        }
        return found
    }

    /// Prepares for the next sum and discards the remaining subtrees.
    public func endLast() {
        free += sums.map(\.values)
        sums = []
        next = groups.lowerBound
    }

    /// The sums of one buffer for the subtrees that make up the groups.
    ///
    /// The last one is in the buffer itself, complete after ``addLast(_:_:isAlone:)``.
    func subtrees(_ buffer: Int) -> [FloatBuffer] { sums.dropLast(joined.count).map { $0.values[buffer] } + [buffers[buffer]] }

    /// y ← x + y.
    private static func add(_ x: FloatBuffer, to y: FloatBuffer) {
        let (x, y) = (x.buffer, y.mutable), piece = 1 << 16
        Parallel.forEach((y.count + piece - 1) / piece) { number, _ in
            for i in number * piece..<min(y.count, (number + 1) * piece) { y[i] = x[i] + y[i] }
        }
    }
}

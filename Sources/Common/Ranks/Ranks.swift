import Kernels
import Platform
import TensorStreams
import ToolSupport

/// The ranks that train together, as one of them sees them.
///
/// A thread of its own makes all calls of the ``Communicator``, one after the other, so that gradients travel while others are still computed. Every rank begins the same calls in the same
/// order.
public final class Ranks: @unchecked Sendable {
    private let communicator: any Communicator
    public let rank: Int
    public let count: Int
    private let work = Monitor(Work())

    /// Seconds.
    public static let pause = 0.25

    private typealias Job = @Sendable () throws -> Void

    private struct Work {
        var jobs: [Job] = []
        /// Jobs that have begun and not ended.
        var underWay = 0
        var failure: (any Error)?
        var isLeft = false
    }

    /// Memory of what others send and of what is sent from several places.
    private var received = FloatBuffer(0)
    private var packed = FloatBuffer(0)

    /// - Parameter open: makes the communicator, on the thread that will make all its calls.
    public init(_ open: @escaping @Sendable () throws -> any Communicator) throws {
        let opened = Monitor<Result<any Communicator, any Error>?>(nil), work = work
        let thread = try startThread {
            let communicator = Result(catching: open)
            opened.change { $0 = communicator }
            guard case .success(let communicator) = communicator else { return }
            while true {
                let next = work.change(within: Ranks.pause, when: { !$0.jobs.isEmpty || $0.isLeft }) { work -> Job? in
                    guard !work.jobs.isEmpty else { return nil }
                    work.underWay += 1
                    return work.jobs.removeFirst()
                }
                guard let next else {
                    communicator.idle()
                    continue
                }
                guard let job = next else { return }
                let outcome = Result(catching: job)
                work.change { work in
                    work.underWay -= 1
                    if case .failure(let error) = outcome, work.failure == nil { work.failure = error }
                }
            }
        }
        pthread_detach(thread)
        communicator = try opened.change(when: { $0 != nil }) { outcome in try outcome.unsafelyUnwrapped.get() }
        (rank, count) = (communicator.rank, communicator.count)
    }

    deinit { work.change { $0.isLeft = true } }

    /// The groups of a batch that this rank has.
    public func groups(in all: Int) -> Range<Int> { BatchSlice.groups(of: rank, ranks: count, in: all) }

    // MARK: - Calls

    /// Begins a call, which the thread makes once those before it are done.
    private func begin(_ job: @escaping Job) { work.change { $0.jobs.append(job) } }

    /// Waits until all calls that have begun are done.
    ///
    /// - Throws: what the first of them has failed with.
    public func wait() throws {
        try work.change(when: { ($0.jobs.isEmpty && $0.underWay == 0) || $0.failure != nil }) { if let failure = $0.failure { throw failure } }
    }

    private func perform(_ job: @escaping Job) throws {
        begin(job)
        try wait()
    }

    /// What each rank has, by ranks: byte strings of any length.
    public func gather(_ own: [UInt8]) throws -> [[UInt8]] {
        // Of no set length, so that lengths come first.
        let own64 = withUnsafeBytes(of: UInt64(own.count).littleEndian) { Array($0) }
        let lengths = try gather(own64, counts: [Int](repeating: 8, count: count))
        let counts = (0..<count).map { r in Int(lengths[8 * r..<8 * r + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
        let all = try gather(own, counts: counts)
        return Ranks.ranges(counts).map { Array(all[$0]) }
    }

    /// What each rank has, one behind the other, where all know how many bytes each has.
    private func gather(_ own: [UInt8], counts: [Int]) throws -> [UInt8] {
        let total = counts.reduce(0, +), all = FloatBuffer((total + 3) / 4)
        let bytes = UnsafeMutableRawBufferPointer(start: all.pointer, count: total)
        UnsafeMutableRawBufferPointer(rebasing: bytes[Ranks.ranges(counts)[rank]]).copyBytes(from: own)
        try perform { [communicator] in try communicator.allGather(all.pointer, counts: counts) }
        return Array(bytes)
    }

    /// What each rank has, one behind the other, where all know how many numbers each has.
    ///
    /// - Parameter counts: by ranks.
    public func gather(_ own: [Float], counts: [Int]) throws -> [Float] {
        precondition(own.count == counts[rank])
        let all = FloatBuffer(counts.reduce(0, +)), start = Ranks.ranges(counts)[rank].lowerBound
        for (i, value) in own.enumerated() { all.pointer[start + i] = value }
        try perform { [communicator] in try communicator.allGather(UnsafeMutableRawPointer(all.pointer), counts: counts.map { 4 * $0 }) }
        return all.array
    }

    /// Begins to make the sum over the groups of all ranks in a part of a buffer, where this rank's last group is in it; ``wait()`` waits for it.
    ///
    /// Each rank adds one share of the numbers from the subtrees of all ranks, and gives the sum to all: a fixed tree, which no algorithm of the communicator has a say in.
    ///
    /// - Parameters:
    ///   - buffer: its number among those of the sum.
    ///   - groups: of the whole batch.
    public func add(_ sum: PairwiseSum, _ buffer: Int, _ range: Range<Int>, groups: Int) {
        begin { [self] in
            sum.addLast(buffer, range, isAlone: false)
            let own = sum.subtrees(buffer).map { FloatBuffer(part: $0, from: range.lowerBound, count: range.count) }
            try add(own, groups: groups)
        }
    }

    /// The sum over all ranks into the last of this rank's subtrees.
    private func add(_ own: [FloatBuffer], groups: Int) throws {
        guard let result = own.last, result.count > 0 else { return }
        let nodes = (0..<count).map { SumNode.nodes(of: BatchSlice.groups(of: $0, ranks: count, in: groups)) }
        let shares = (0..<count).map { result.count * $0 / count..<result.count * ($0 + 1) / count }, share = shares[rank]
        precondition(own.count == nodes[rank].count)
        let incoming = Ranks.ranges((0..<count).map { $0 == rank ? 0 : nodes[$0].count * share.count })
        received = Ranks.grown(received, to: incoming.last?.upperBound ?? 0)
        if own.count == 1 {
            let outgoing = (0..<count).map { $0 == rank ? 0..<0 : shares[$0] }
            try communicator.exchange(UnsafePointer(result.pointer), outgoing, into: received.pointer, incoming)
        } else {
            let outgoing = Ranks.ranges((0..<count).map { $0 == rank ? 0 : own.count * shares[$0].count })
            packed = Ranks.grown(packed, to: outgoing.last?.upperBound ?? 0)
            for r in 0..<count where r != rank {
                for (number, node) in own.enumerated() {
                    (packed.pointer + outgoing[r].lowerBound + number * shares[r].count).update(from: node.pointer + shares[r].lowerBound, count: shares[r].count)
                }
            }
            try communicator.exchange(UnsafePointer(packed.pointer), outgoing, into: received.pointer, incoming)
        }
        let parts: [UnsafeMutablePointer<Float>] = (0..<count).flatMap { r -> [UnsafeMutablePointer<Float>] in
            if r == rank { return own.map { $0.pointer + share.lowerBound } }
            return nodes[r].indices.map { received.pointer + incoming[r].lowerBound + $0 * share.count }
        }
        Ranks.add(parts, SumNode.additions(nodes.flatMap { $0 }), count: share.count, into: result.pointer + share.lowerBound)
        try communicator.allGather(UnsafeMutableRawPointer(result.pointer), counts: shares.map { 4 * $0.count })
    }

    /// Adds the parts in the order of the additions, a block at a time so that it stays in the cache; the parts are overwritten.
    private static func add(_ parts: [UnsafeMutablePointer<Float>], _ additions: [(to: Int, from: Int)], count: Int, into result: UnsafeMutablePointer<Float>) {
        let block = 2048
        for start in stride(from: 0, to: count, by: block) {
            let n = min(block, count - start)
            for (to, from) in additions {
                let (y, x) = (parts[to] + start, parts[from] + start)
                for i in 0..<n { y[i] = y[i] + x[i] }
            }
            if parts[0] != result { (result + start).update(from: parts[0] + start, count: n) }
        }
    }

    /// Ends all ranks because of this one's failure. MPI may be called by one thread alone, so the call waits for those under way, if they ever end.
    public func abort(status: Int32) { communicator.abort(status: status) }

    /// Leaves the others, once all have come here.
    public func finish() throws { try perform { [communicator] in try communicator.finish() } }

    private static func ranges(_ counts: [Int]) -> [Range<Int>] {
        var start = 0
        return counts.map { count in
            defer { start += count }
            return start..<start + count
        }
    }

    private static func grown(_ buffer: FloatBuffer, to count: Int) -> FloatBuffer { buffer.count >= count ? buffer : FloatBuffer(count) }
}

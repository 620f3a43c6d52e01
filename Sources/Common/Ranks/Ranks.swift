import Kernels
import Platform
import TensorStreams
import ToolSupport

/// The ranks that train together, from the point of view of one of them.
///
/// A dedicated thread makes all calls of the ``Communicator``, one after the other, so that gradients are sent while
/// others are still computed. Every rank starts the same calls in the same order.
public final class Ranks: @unchecked Sendable {
    private let communicator: any Communicator
    public let rank: Int
    public let count: Int
    private let work = Monitor(Work())

    /// The interval of idle calls in seconds.
    public static let pause = 0.25

    private typealias Job = @Sendable () throws -> Void

    private struct Work {
        var jobs: [Job] = []
        /// The number of jobs that have started and not ended.
        var underWay = 0
        var failure: (any Error)?
        var isLeft = false
    }

    /// Buffers for received data, and for data sent from several places.
    private var received = FloatBuffer(0)
    private var packed = FloatBuffer(0)

    /// - Parameter open: creates the communicator, on the thread that will make all its calls.
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

    /// The groups of a batch that belong to this rank.
    public func groups(in all: Int) -> Range<Int> { BatchSlice.groups(of: rank, ranks: count, in: all) }

    // MARK: - Calls

    /// Queues a call, which the thread makes after the previous ones.
    private func begin(_ job: @escaping Job) { work.change { $0.jobs.append(job) } }

    /// Waits until all queued calls are done.
    ///
    /// - Throws: the error of the first one that failed.
    public func wait() throws {
        try work.change(when: { ($0.jobs.isEmpty && $0.underWay == 0) || $0.failure != nil }) { if let failure = $0.failure { throw failure } }
    }

    private func perform(_ job: @escaping Job) throws {
        begin(job)
        try wait()
    }

    /// The byte strings of all ranks, of any length, by rank.
    public func gather(_ own: [UInt8]) throws -> [[UInt8]] {
        // The lengths vary, so they are gathered first.
        let own64 = withUnsafeBytes(of: UInt64(own.count).littleEndian) { Array($0) }
        let lengths = try gather(own64, counts: [Int](repeating: 8, count: count))
        let counts = (0..<count).map { r in Int(lengths[8 * r..<8 * r + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
        let all = try gather(own, counts: counts)
        return Ranks.ranges(counts).map { Array(all[$0]) }
    }

    /// The concatenated bytes of all ranks, where all know the number of bytes of each.
    private func gather(_ own: [UInt8], counts: [Int]) throws -> [UInt8] {
        let total = counts.reduce(0, +), all = FloatBuffer((total + 3) / 4)
        let bytes = UnsafeMutableRawBufferPointer(start: all.pointer, count: total)
        UnsafeMutableRawBufferPointer(rebasing: bytes[Ranks.ranges(counts)[rank]]).copyBytes(from: own)
        try perform { [communicator] in try communicator.allGather(all.pointer, counts: counts) }
        return Array(bytes)
    }

    /// The concatenated numbers of all ranks, where all know the count of each.
    ///
    /// - Parameter counts: the counts by rank.
    public func gather(_ own: [Float], counts: [Int]) throws -> [Float] {
        precondition(own.count == counts[rank])
        let all = FloatBuffer(counts.reduce(0, +)), start = Ranks.ranges(counts)[rank].lowerBound
        for (i, value) in own.enumerated() { all.pointer[start + i] = value }
        try perform { [communicator] in try communicator.allGather(UnsafeMutableRawPointer(all.pointer), counts: counts.map { 4 * $0 }) }
        return all.array
    }

    /// Starts the sum over the groups of all ranks for a part of a buffer that holds this rank's last group;
    /// ``wait()`` waits for it.
    ///
    /// Each rank sums one share of the numbers over the subtrees of all ranks and sends the result to all. This is a
    /// fixed tree, independent of the algorithms of the communicator.
    ///
    /// - Parameters:
    ///   - buffer: its index among the buffers of the sum.
    ///   - groups: the number of groups of the whole batch.
    public func add(_ sum: PairwiseSum, _ buffer: Int, _ range: Range<Int>, groups: Int) {
        begin { [self] in
            sum.addLast(buffer, range, isAlone: false)
            let own = sum.subtrees(buffer).map { FloatBuffer(part: $0, from: range.lowerBound, count: range.count) }
            try add(own, groups: groups)
        }
    }

    /// Computes the sum over all ranks into the last of this rank's subtrees.
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

    /// Adds the parts in the order of the additions, in blocks that stay in the cache. The parts are overwritten.
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

    /// Ends all ranks because this one failed.
    ///
    /// Only one thread may call MPI, so this waits for the calls under way, if they ever end.
    public func abort(status: Int32) { communicator.abort(status: status) }

    /// Disconnects from the other ranks, once all have arrived here.
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

public import Ranks
import Platform
import ToolSupport

/// Ranks as threads of one process, for tests.
public final class RankThreads: Sendable {
    public let count: Int
    private let state: Monitor<State>

    private struct State {
        /// The buffers of the current call, by rank.
        var posted: [[UnsafeRawBufferPointer]?]
        /// The number of ranks that have read what they need.
        var taken = 0
        var aborted: Int32?
    }

    struct Aborted: Error { let status: Int32 }

    public init(_ count: Int) {
        self.count = count
        state = Monitor(State(posted: [[UnsafeRawBufferPointer]?](repeating: nil, count: count)))
    }

    /// The communicator of rank `rank`.
    public func communicator(_ rank: Int) -> any Communicator { Member(self, rank) }

    /// Runs `body` once for each rank, each on its own thread.
    public static func run<Result: Sendable>(_ count: Int, _ body: @escaping @Sendable (Ranks) throws -> Result) throws -> [Result] {
        let threads = RankThreads(count), results = Monitor<[Int: Swift.Result<Result, any Error>]>([:])
        for rank in 0..<count {
            let thread = try startThread {
                let result = Swift.Result {
                    let ranks = try Ranks { threads.communicator(rank) }
                    do { return try body(ranks) } catch {
                        threads.communicator(rank).abort(status: 1)
                        throw error
                    }
                }
                results.change { $0[rank] = result }
            }
            pthread_detach(thread)
        }
        let all = results.change(when: { $0.count == count }) { $0 }
        // The first failure that was not caused by another rank's end.
        if let error = all.values.compactMap({ if case .failure(let error) = $0, !(error is Aborted) { error } else { nil } }).first { throw error }
        return try (0..<count).compactMap { try all[$0]?.get() }
    }

    /// Shows one rank's buffers to all and gives it the buffers of all; no rank leaves before all have arrived and
    /// read.
    fileprivate func meet(_ rank: Int, _ own: [UnsafeRawBufferPointer], _ take: ([[UnsafeRawBufferPointer]]) -> Void) throws {
        let count = count
        func check(_ state: State) throws { if let status = state.aborted { throw Aborted(status: status) } }
        try state.change(when: { unsafe $0.posted[rank] == nil && $0.taken == 0 || $0.aborted != nil }) { state in
            try check(state)
            unsafe state.posted[rank] = own
        }
        let all = try state.change(when: { unsafe $0.posted.allSatisfy { unsafe $0 != nil } || $0.aborted != nil }) { state in
            try check(state)
            return unsafe state.posted.compactMap { unsafe $0 }
        }
        unsafe take(all)
        state.change { $0.taken += 1 }
        // No buffer may change before all ranks have read it.
        try state.change(when: { unsafe $0.taken == count || $0.posted[rank] == nil || $0.aborted != nil }) { state in
            try check(state)
            if state.taken == count {
                unsafe state.posted = [[UnsafeRawBufferPointer]?](repeating: nil, count: count)
                state.taken = 0
            }
        }
    }

    fileprivate func abort(_ status: Int32) { state.change { $0.aborted = $0.aborted ?? status } }

    private final class Member: Communicator {
        let threads: RankThreads
        let rank: Int
        var count: Int { threads.count }

        init(_ threads: RankThreads, _ rank: Int) { (self.threads, self.rank) = (threads, rank) }

        func allGather(_ all: UnsafeMutableRawPointer, counts: [Int]) throws {
            var starts: [Int] = [], start = 0
            for count in counts {
                starts.append(start)
                start += count
            }
            unsafe try threads.meet(rank, [UnsafeRawBufferPointer(start: all + starts[rank], count: counts[rank])]) { parts in
                for r in 0..<count where r != rank {
                    precondition(unsafe parts[r][0].count == counts[r])
                    unsafe UnsafeMutableRawBufferPointer(start: all + starts[r], count: counts[r]).copyMemory(from: parts[r][0])
                }
            }
        }

        func exchange(
            _ values: UnsafePointer<Float>, _ outgoing: [Range<Int>], into received: UnsafeMutablePointer<Float>, _ incoming: [Range<Int>]
        ) throws {
            let parts = unsafe outgoing.map { unsafe UnsafeRawBufferPointer(UnsafeBufferPointer(start: values + $0.lowerBound, count: $0.count)) }
            unsafe try threads.meet(rank, parts) { all in
                for r in 0..<count {
                    precondition(unsafe all[r][rank].count == 4 * incoming[r].count)
                    unsafe UnsafeMutableRawBufferPointer(start: received + incoming[r].lowerBound, count: 4 * incoming[r].count).copyMemory(from: all[r][rank])
                }
            }
        }

        func abort(status: Int32) { threads.abort(status) }
        func idle() {}
        func finish() throws {}
    }
}

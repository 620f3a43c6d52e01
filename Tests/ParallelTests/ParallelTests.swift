import Parallel
import Platform
import Synchronization
import Testing
import TestSupport

/// How often each of `count` pieces ran, and the workers' numbers.
private final class Tally: Sendable {
    private let state: Mutex<(runs: [Int], workers: Set<Int>, active: Set<Int>, shared: Bool)>
    init(_ count: Int) { state = Mutex(([Int](repeating: 0, count: count), [], [], false)) }

    func enter(_ piece: Int, _ worker: Int) {
        state.withLock {
            $0.runs[piece] += 1
            $0.workers.insert(worker)
            if !$0.active.insert(worker).inserted { $0.shared = true }
        }
    }

    func leave(_ worker: Int) { state.withLock { _ = $0.active.remove(worker) } }

    var isOnceEach: Bool { state.withLock { $0.runs.allSatisfy { $0 == 1 } } }
    var workers: Set<Int> { state.withLock { $0.workers } }
    /// Whether two threads had the same number at once.
    var shared: Bool { state.withLock { $0.shared } }
}

@Suite struct ParallelTests {
    init() { Parallel.setThreads(4) }

    @Test func `every piece runs once, and no two threads are the same worker at once`() async {
        // In a separate process: no other test holds the threads.
        await #expect(processExitsWith: .success) {
            Parallel.setThreads(4)
            #expect(allAtWork(4))
            for count in [0, 1, 2, 3, 4, 5, 7, 64, 1000] {
                for _ in 0..<20 {
                    let tally = Tally(count)
                    Parallel.forEach(count) { piece, worker in
                        tally.enter(piece, worker)
                        if piece % 100 == 0 { usleep(50) }
                        tally.leave(worker)
                    }
                    #expect(tally.isOnceEach && !tally.shared, "\(count) pieces")
                    #expect(tally.workers.isSubset(of: Set(0..<Parallel.threads)), "\(count) pieces")
                }
            }
        }
    }

    @Test func `a negative number of pieces is none`() {
        Parallel.forEach(-1) { _, _ in Issue.record("there is no such piece") }
    }

    @Test func `a call from inside a piece runs its pieces in order, as worker 0`() async {
        // In a separate process: no other test holds the threads, so the outer call certainly has them.
        await #expect(processExitsWith: .success) {
            Parallel.setThreads(4)
            for _ in 0..<200 {
                let outer = Tally(8)
                Parallel.forEach(8) { piece, worker in
                    outer.enter(piece, worker)
                    var seen: [Int] = []
                    Parallel.forEach(5) { inner, number in
                        guard number == 0 else { exit(1) }
                        seen.append(inner)
                    }
                    if seen != Array(0..<5) { exit(2) }
                    outer.leave(worker)
                }
                guard outer.isOnceEach, !outer.shared else { exit(3) }
            }
            exit(0)
        }
    }

    @Test func `calls from several threads at once each run all their pieces`() {
        let tallies = (0..<6).map { _ in (0..<50).map { Tally($0 * 3 + 2) } }
        onThreads(6) { caller in
            for (round, tally) in tallies[caller].enumerated() {
                Parallel.forEach(round * 3 + 2) { piece, worker in
                    tally.enter(piece, worker)
                    tally.leave(worker)
                }
            }
        }
        for tally in tallies.joined() { #expect(tally.isOnceEach && !tally.shared) }
    }

    @Test func `as many workers take part as the caller has scratch for, and no more`() async {
        await #expect(processExitsWith: .success) {
            Parallel.setThreads(4)
            for workers in 1...3 {
                #expect(allAtWork(workers, workers: workers))
                for _ in 0..<50 {
                    let tally = Tally(200)
                    Parallel.forEach(200, workers: workers) { piece, worker in
                        tally.enter(piece, worker)
                        tally.leave(worker)
                    }
                    #expect(tally.isOnceEach && !tally.shared && tally.workers.isSubset(of: Set(0..<workers)))
                }
            }
        }
    }

    @Test func `threads that are added between and during calls take part and are waited for`() async {
        await #expect(processExitsWith: .success) {
            // A call that returns before its pieces are done shows when they write to freed memory.
            let stop = Atomic<Bool>(false)
            onThreads(2) { thread in
                if thread == 0 {
                    for count in 2...24 {
                        Parallel.setThreads(count)
                        usleep(2000)
                    }
                    stop.store(true, ordering: .relaxed)
                } else {
                    while !stop.load(ordering: .relaxed) {
                        for count in [3, 40, 2, 17] {
                            let tally = Tally(count)
                            Parallel.forEach(count) { piece, worker in
                                tally.enter(piece, worker)
                                tally.leave(worker)
                            }
                            guard tally.isOnceEach, !tally.shared else { exit(1) }
                        }
                    }
                }
            }
            // All twenty-four are at work: every piece waits for all others.
            let arrived = Atomic<Int>(0)
            Parallel.forEach(24) { _, _ in
                arrived.add(1, ordering: .sequentiallyConsistent)
                for _ in 0..<20_000 where arrived.load(ordering: .sequentiallyConsistent) < 24 { usleep(1000) }
                if arrived.load(ordering: .sequentiallyConsistent) < 24 { exit(2) }
            }
            exit(Parallel.threads == 24 ? 0 : 3)
        }
    }

    @Test func `parts follow one another, cover all and differ by one at most`() {
        for total in [0, 1, 2, 3, 7, 13, 100, 12_345] {
            for pieces in [1, 2, 3, 5, 7, 16, 200] {
                let parts = (0..<pieces).map { Parallel.part($0, of: pieces, in: total) }
                #expect(parts.first?.lowerBound == 0 && parts.last?.upperBound == total)
                #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
                let sizes = parts.map(\.count)
                #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1)
            }
        }
    }
}

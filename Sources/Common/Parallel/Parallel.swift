import CProcess
import CProcessor
import Platform
import Synchronization

/// A fixed set of threads that share numbered pieces of work.
///
/// Results must not depend on the number of threads. So a caller cuts its work into pieces by the
/// work's size alone, every piece writes to a place of its own, and sums over pieces are made
/// afterwards in the order of their numbers.
///
///     Parallel.forEach(images) { image, worker in resize(image, scratch: scratch[worker]) }
public enum Parallel {
    /// How many threads work at once, the caller among them.
    public static var threads: Int { pool.threads }

    /// How many processors this process may run on: not always all that the machine has.
    public static var processors: Int { Int(seed_processors()) }

    /// Makes it `count` threads; there are never fewer than before. To be called once, before any work.
    public static func setThreads(_ count: Int) {
        precondition(count >= 1)
        pool.start(count)
    }

    /// Calls `body(piece, worker)` once for every piece in `0..<count` and returns when all are done.
    ///
    /// `worker` is in `0..<min(threads, workers)` and is held by one thread at a time: it numbers scratch memory.
    /// In a piece denormals are 0, in what it reads and what it makes: a processor may take a hundred times as long for them, and tails of a softmax are full of them.
    /// A call from inside a piece, or while another thread is in a call, runs its pieces one after the
    /// other as worker 0 of its own scratch: callers that keep scratch by worker must not do that.
    ///
    /// - Parameter workers: how many may take part, for those who keep scratch: ``threads`` may have grown since.
    public static func forEach(_ count: Int, workers: Int = .max, _ body: (_ piece: Int, _ worker: Int) -> Void) {
        pool.run(count, workers, body)
    }

    /// The piece `index` of `0..<total` cut into `pieces` nearly equal parts.
    public static func part(_ index: Int, of pieces: Int, in total: Int) -> Range<Int> {
        (total * index / pieces)..<(total * (index + 1) / pieces)
    }

    private static let pool = Pool()
}

private final class Pool: @unchecked Sendable {
    typealias Body = (Int, Int) -> Void

    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let finished = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// The next piece of each thread's share, each in a cache line of its own.
    private let next = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: Pool.mostShares * Pool.line)
    private static let mostShares = 64, line = 16
    private let busy = Atomic<Bool>(false)
    /// Written under `lock`.
    private let started = Atomic<Int>(1)
    /// Of the call under way; raised under `lock`, which tells of what is below.
    private let generation = Atomic<Int>(0)
    /// Threads that have not yet done with the call under way.
    private let running = Atomic<Int>(0)
    /// Whether the caller sleeps until there are none.
    private let callerSleeps = Atomic<Bool>(false)
    // Written before a generation begins, while nobody runs.
    private var count = 0
    private var workers = 0
    private var shares = 0
    private var body: Body?

    init() {
        for index in 0..<(Pool.mostShares * Pool.line) { (next + index).initialize(to: Atomic(0)) }
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
        pthread_cond_init(finished, nil)
    }

    var threads: Int { started.load(ordering: .relaxed) }

    func start(_ wanted: Int) {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while threads < wanted {
            // A call that is under way does not count on the new thread, which therefore begins with the next.
            let worker = threads, generation = generation.load(ordering: .relaxed)
            let (thread, status) = makeThread { [pool = self] in pool.work(as: worker, after: generation) }
            guard status == 0 else { return }
            pthread_detach(thread)
            started.add(1, ordering: .relaxed)
        }
    }

    func run(_ pieces: Int, _ workers: Int, _ body: Body) {
        let denormals = seed_flush_denormals()
        defer { seed_restore_denormals(denormals) }
        guard pieces > 1, workers > 1, threads > 1, !busy.exchange(true, ordering: .acquiring) else {
            for piece in 0..<max(0, pieces) { body(piece, 0) }
            return
        }
        withoutActuallyEscaping(body) { body in
            pthread_mutex_lock(lock)
            self.body = body
            count = pieces
            self.workers = workers
            shares = min(pieces, workers, threads, Pool.mostShares)
            for share in 0..<shares { next[share * Pool.line].store(Parallel.part(share, of: shares, in: pieces).lowerBound, ordering: .relaxed) }
            running.store(threads - 1, ordering: .relaxed)
            generation.add(1, ordering: .releasing)
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(lock)
            take(pieces, body, worker: 0)
            spinWait(while: { running.load(ordering: .acquiring) > 0 })
            if running.load(ordering: .acquiring) > 0 {
                pthread_mutex_lock(lock)
                callerSleeps.store(true, ordering: .sequentiallyConsistent)
                while running.load(ordering: .sequentiallyConsistent) > 0 { pthread_cond_wait(finished, lock) }
                callerSleeps.store(false, ordering: .relaxed)
                pthread_mutex_unlock(lock)
            }
            self.body = nil
        }
        busy.store(false, ordering: .releasing)
    }

    /// Spin-wait while `condition` holds, for 0.3 ms at most: the next loop of a step most often begins sooner, and a wake-up by the system
    /// takes 0.1 ms in a virtual machine. After some microseconds it yields to whoever else wants the processor.
    @inline(__always)
    private func spinWait(while condition: () -> Bool) {
        for turn in 0..<1000 {
            for _ in 0..<30 {
                guard condition() else { return }
                seed_pause()
            }
            if turn >= 30 { sched_yield() }
        }
    }

    /// Own pieces first, then what is left of the others': so in one loop after the other a thread works on the same images, which its
    /// cache, or its socket's memory, still has.
    private func take(_ pieces: Int, _ body: Body, worker: Int) {
        for offset in 0..<shares {
            let share = (worker + offset) % shares
            let end = Parallel.part(share, of: shares, in: pieces).upperBound
            while true {
                let piece = next[share * Pool.line].wrappingAdd(1, ordering: .relaxed).oldValue
                guard piece < end else { break }
                body(piece, worker)
            }
        }
    }

    /// Not inlined, so that the closure is let go before `running` says so.
    @inline(never)
    private func takeShared(_ pieces: Int, worker: Int) {
        guard let body, worker < workers else { return }
        take(pieces, body, worker: worker)
    }

    private func work(as worker: Int, after generation: Int) {
        _ = seed_flush_denormals()
        var seen = generation
        while true {
            // Who has waited busily goes on without the lock: the caller may still hold it, and to sleep for it would cost what waiting saves.
            spinWait(while: { self.generation.load(ordering: .acquiring) == seen })
            if self.generation.load(ordering: .acquiring) == seen {
                pthread_mutex_lock(lock)
                while self.generation.load(ordering: .acquiring) == seen { pthread_cond_wait(changed, lock) }
                pthread_mutex_unlock(lock)
            }
            seen = self.generation.load(ordering: .acquiring)
            takeShared(count, worker: worker)
            // Either this thread sees that the caller sleeps, or the caller sees that nobody runs any more.
            if running.subtract(1, ordering: .sequentiallyConsistent).newValue == 0, callerSleeps.load(ordering: .sequentiallyConsistent) {
                pthread_mutex_lock(lock)
                pthread_cond_signal(finished)
                pthread_mutex_unlock(lock)
            }
        }
    }
}

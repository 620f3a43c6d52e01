import CProcess
import CProcessor
import Platform
import Synchronization

/// A fixed pool of threads that share numbered pieces of work.
///
/// Results must not depend on the number of threads. So callers split their work into pieces by its size alone, every
/// piece writes to its own memory, and sums over pieces are formed afterwards in order.
///
///     Parallel.forEach(images) { image, worker in resize(image, scratch: scratch[worker]) }
public enum Parallel {
    /// The number of threads that work at once, including the caller.
    public static var threads: Int { pool.threads }

    /// The number of processors this process may run on, which may be fewer than the machine has.
    public static var processors: Int { Int(seed_processors()) }

    /// Grows the pool to `count` threads; it never shrinks. Call it once, before any work.
    public static func setThreads(_ count: Int) {
        precondition(count >= 1)
        pool.start(count)
    }

    /// Calls `body(piece, worker)` once for every piece in `0..<count` and returns when all are done.
    ///
    /// `worker` is in `0..<min(threads, workers)` and belongs to one thread at a time, so it can index scratch memory.
    /// Within a piece, denormals are treated as 0, both as inputs and as results: some processors take a hundred times
    /// as long for them, and the tails of a softmax are full of them. A nested call, or a call while another thread is
    /// in one, runs its pieces sequentially as worker 0 of its own scratch. Callers that keep scratch per worker must
    /// not make such calls.
    ///
    /// - Parameter workers: the most threads that may take part, for callers with scratch per worker: ``threads`` may
    ///   have grown since they allocated it.
    public static func forEach(_ count: Int, workers: Int = .max, _ body: (_ piece: Int, _ worker: Int) -> Void) {
        pool.run(count, workers, body)
    }

    /// Piece `index` of `0..<total` split into `pieces` nearly equal parts.
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
    /// The number of the current call. Raised under `lock`, which publishes the fields below.
    private let generation = Atomic<Int>(0)
    /// The number of threads that have not finished the current call.
    private let running = Atomic<Int>(0)
    /// Whether the caller sleeps until `running` is 0.
    private let callerSleeps = Atomic<Bool>(false)
    // Written before a generation begins, while no thread runs.
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
            // A call in progress does not count on the new thread, which therefore starts with the next one.
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

    /// Spins while `condition` holds, for at most 0.3 ms: a step's next loop usually starts sooner, and a wake-up by
    /// the system takes 0.1 ms in a virtual machine. After some microseconds it yields the processor to others.
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

    /// Takes the thread's own pieces first, then what is left of the others'. So from loop to loop a thread works on
    /// the same images, which are still in its cache or its socket's memory.
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

    /// Not inlined, so that the closure is released before `running` is decremented.
    @inline(never)
    private func takeShared(_ pieces: Int, worker: Int) {
        guard let body, worker < workers else { return }
        take(pieces, body, worker: worker)
    }

    private func work(as worker: Int, after generation: Int) {
        _ = seed_flush_denormals()
        var seen = generation
        while true {
            // After a successful spin the thread continues without the lock: the caller may still hold it, and sleeping
            // for it would cost what spinning saves.
            spinWait(while: { self.generation.load(ordering: .acquiring) == seen })
            if self.generation.load(ordering: .acquiring) == seen {
                pthread_mutex_lock(lock)
                while self.generation.load(ordering: .acquiring) == seen { pthread_cond_wait(changed, lock) }
                pthread_mutex_unlock(lock)
            }
            seen = self.generation.load(ordering: .acquiring)
            takeShared(count, worker: worker)
            // Either this thread sees that the caller sleeps, or the caller sees that no thread runs any more.
            if running.subtract(1, ordering: .sequentiallyConsistent).newValue == 0, callerSleeps.load(ordering: .sequentiallyConsistent) {
                pthread_mutex_lock(lock)
                pthread_cond_signal(finished)
                pthread_mutex_unlock(lock)
            }
        }
    }
}

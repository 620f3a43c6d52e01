import Parallel
public import Platform

/// State that threads share, with a way to wait until another thread changes it.
///
///     let items = Monitor<[Item]>([])
///     items.change { $0.append(item) }                                   // one thread
///     let item = items.change(when: { !$0.isEmpty }) { $0.removeFirst() }  // the other
@safe public final class Monitor<State>: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    public init(_ state: sending State) {
        self.state = state
        unsafe pthread_mutex_init(lock, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(lock)
        unsafe changed.deallocate()
        unsafe lock.deallocate()
    }

    /// Waits until the state satisfies the predicate, runs `body` with exclusive access to it, and wakes the waiting
    /// threads.
    public func change<Result>(when predicate: (State) -> Bool = { _ in true }, _ body: (inout State) throws -> Result) rethrows -> Result {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        while !predicate(state) { unsafe pthread_cond_wait(changed, lock) }
        defer { unsafe pthread_cond_broadcast(changed) }
        return try body(&state)
    }

    /// The same with a timeout: nil where it took longer than `seconds`.
    public func change<Result>(within seconds: Double, when predicate: (State) -> Bool, _ body: (inout State) throws -> Result) rethrows -> Result? {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        var end = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &end)
        let nanoseconds = end.tv_nsec + Int(seconds * 1e9)
        (end.tv_sec, end.tv_nsec) = (end.tv_sec + nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000)
        while !predicate(state) { if unsafe pthread_cond_timedwait(changed, lock, &end) == ETIMEDOUT { return nil } }
        defer { unsafe pthread_cond_broadcast(changed) }
        return try body(&state)
    }
}

/// Runs `body` on a new thread that blocks all signals; the main thread handles them.
///
/// - Returns: the thread, which must be joined or detached.
public func startThread(_ body: @escaping @Sendable () -> Void) throws -> pthread_t {
    let (thread, status) = makeThread(body)
    guard status == 0 else { throw Failure(.io, "cannot start a thread: \(unsafe String(cString: strerror(status)))") }
    return thread
}

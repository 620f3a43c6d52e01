public import Platform

/// Does `body` while no signal can come to this thread; those that came meanwhile come afterwards. Threads of ours take none, the main
/// thread does, which cleans up: so the whole process is meant. Faults of the thread itself do not wait.
public func withoutSignals<Result>(_ body: () throws -> Result) rethrows -> Result {
    var (all, before) = (sigset_t(), sigset_t())
    sigfillset(&all)
    for number in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&all, number) }
    pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    return try body()
}

/// Runs `body` on a thread of its own, which takes no signals and is to be joined or detached.
///
/// - Returns: the thread, or the system's error.
public func makeThread(_ body: @escaping @Sendable () -> Void) -> (thread: pthread_t, status: CInt) {
    final class Box { let body: @Sendable () -> Void; init(_ body: @escaping @Sendable () -> Void) { self.body = body } }
    let box = Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    // A new thread begins with the signals of the one that starts it.
    let status = withoutSignals {
        pthread_create(&thread, nil, { argument in
            if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        }, box.toOpaque())
    }
    if status != 0 { box.release() }
    return (thread, status)
}

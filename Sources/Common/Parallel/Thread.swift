public import Platform

/// Runs `body` with signals blocked in this thread; signals that arrive meanwhile are delivered afterwards.
///
/// Only the main thread takes signals, because it cleans up; our other threads take none. So blocking them there holds
/// them for the whole process. Faults raised by the thread itself are not blocked.
public func withoutSignals<Result>(_ body: () throws -> Result) rethrows -> Result {
    var (all, before) = (sigset_t(), sigset_t())
    sigfillset(&all)
    for number in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&all, number) }
    pthread_sigmask(SIG_BLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    return try body()
}

/// Runs `body` on a new thread that takes no signals. The caller joins or detaches it.
///
/// - Returns: the thread, and the system's error code.
public func makeThread(_ body: @escaping @Sendable () -> Void) -> (thread: pthread_t, status: CInt) {
    final class Box { let body: @Sendable () -> Void; init(_ body: @escaping @Sendable () -> Void) { self.body = body } }
    let box = Unmanaged.passRetained(Box(body))
    var thread = pthread_t()
    // A new thread inherits the signal mask of the thread that starts it.
    let status = withoutSignals {
        pthread_create(&thread, nil, { argument in
            if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        }, box.toOpaque())
    }
    if status != 0 { box.release() }
    return (thread, status)
}

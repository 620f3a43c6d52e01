import Platform

/// Calls `body` with 0, 1, … on threads of their own, all at once, and waits for them.
public func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let threads = (0..<count).map { index in
        let box = Unmanaged.passRetained(Work { body(index) })
        var thread = pthread_t()
        let failed = pthread_create(&thread, nil, { argument in
            guard let argument else { return nil }
            Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
        precondition(failed == 0, "no thread can be started")
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}

private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
}

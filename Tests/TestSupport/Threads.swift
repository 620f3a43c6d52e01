import Parallel
import Platform
import Synchronization

/// Calls `body` with 0, 1, …, each on its own thread, all at once, and waits for them.
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

/// Whether `count` threads work at once: every piece waits for all others. This is certain only in a separate process,
/// where no other test uses the threads.
public func allAtWork(_ count: Int, workers: Int = .max) -> Bool {
    let arrived = Atomic<Int>(0), missed = Atomic<Bool>(false)
    Parallel.forEach(count, workers: workers) { _, _ in
        arrived.add(1, ordering: .sequentiallyConsistent)
        var waits = 0
        while arrived.load(ordering: .sequentiallyConsistent) < count {
            usleep(1000)
            waits += 1
            if waits > 20_000 { return missed.store(true, ordering: .relaxed) }
        }
    }
    return !missed.load(ordering: .relaxed)
}

private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
}

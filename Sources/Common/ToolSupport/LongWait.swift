import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Says so when another program is waited for unusually long: once after a while, and again each time the wait has doubled.
///
///     let wait = LongWait { TrainStep.log("no answer for \($0)") }
///     let answer = try wait.during { try reader.next() }
///
/// It only says so. How long a program may take, its user knows, and ends both if it is too long.
public final class LongWait: Sendable {
    /// What the watching thread sees.
    private final class Watch: Sendable {
        /// When the wait under way began and at which length it will be told; nil while there is none.
        let wait = Mutex<(start: Double, next: Double)?>(nil)
        let isOver = Atomic<Bool>(false)

        /// The length of the wait under way, where it is time to tell it.
        func due() -> Double? {
            wait.withLock { wait in
                guard let (start, next) = wait, Progress.now() - start >= next else { return nil }
                wait = (start, 2 * next)
                return next
            }
        }
    }

    private let watch = Watch()
    private let first: Double

    /// - Parameters:
    ///   - first: seconds after which a wait is told the first time.
    ///   - warn: is told how long it has been, in words, by another thread.
    public init(first: Double = 30, warn: @escaping @Sendable (String) -> Void) {
        self.first = first
        let pause = useconds_t(min(1, first / 4) * 1e6)
        // Without the thread nothing is said, and all else goes on.
        let thread = try? startThread { [watch] in
            while !watch.isOver.load(ordering: .relaxed) {
                usleep(pause)
                if let length = watch.due() { warn(Progress.duration(length)) }
            }
        }
        if let thread { pthread_detach(thread) }
    }

    /// Does `work`, which may take long.
    public func during<Result>(_ work: () throws -> Result) rethrows -> Result {
        watch.wait.withLock { $0 = (Progress.now(), first) }
        defer { watch.wait.withLock { $0 = nil } }
        return try work()
    }

    deinit { watch.isOver.store(true, ordering: .relaxed) }
}

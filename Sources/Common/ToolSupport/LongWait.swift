import Platform
import Synchronization

/// Says so when another program is waited for unusually long: once after a while, and again each time the wait has doubled.
///
///     let wait = LongWait { TrainStep.log("no answer for \($0)") }
///     let answer = try wait.during { try reader.next() }
///
/// How long a program may take, its user knows: at a limit, where one is given, it does what the limit says.
public final class LongWait: Sendable {
    /// How long a wait may be.
    public struct Limit: Sendable {
        public var seconds: Double
        /// Done once, by another thread, while the wait still goes on: it should end it.
        public var pass: @Sendable () -> Void

        public init(seconds: Double, pass: @escaping @Sendable () -> Void) {
            self.seconds = seconds
            self.pass = pass
        }
    }

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

        /// Whether the wait under way is longer than `seconds`.
        func isLonger(than seconds: Double) -> Bool {
            wait.withLock { wait in wait.map { Progress.now() - $0.start >= seconds } ?? false }
        }
    }

    private let watch = Watch()
    private let first: Double

    /// - Parameters:
    ///   - first: seconds after which a wait is told the first time.
    ///   - limit: how long it may be at the most; nil for as long as it takes.
    ///   - warn: is told how long it has been, in words, by another thread.
    public init(first: Double = 30, limit: Limit? = nil, warn: @escaping @Sendable (String) -> Void) {
        self.first = first
        let pause = useconds_t(min(1, first / 4, (limit?.seconds ?? 4) / 4) * 1e6)
        // Without the thread nothing is said, and all else goes on.
        let thread = try? startThread { [watch] in
            while !watch.isOver.load(ordering: .relaxed) {
                usleep(pause)
                if let limit, watch.isLonger(than: limit.seconds) { return limit.pass() }
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

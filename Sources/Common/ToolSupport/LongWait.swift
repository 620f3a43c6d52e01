import Platform
import Synchronization

/// Warns when the wait for another program is unusually long: once after a while, and again each time the wait has
/// doubled.
///
///     let wait = LongWait { TrainStep.log("no answer for \($0)") }
///     let answer = try wait.during { try reader.next() }
///
/// Only the user knows how long a program may take. If a limit is given, its action runs when the limit is reached.
public final class LongWait: Sendable {
    /// The maximum length of a wait, and what to do then.
    public struct Limit: Sendable {
        public var seconds: Double
        /// Called once, on another thread, during the wait; it should end the wait.
        public var pass: @Sendable () -> Void

        public init(seconds: Double, pass: @escaping @Sendable () -> Void) {
            self.seconds = seconds
            self.pass = pass
        }
    }

    /// The state that the watching thread sees.
    private final class Watch: Sendable {
        /// The start of the current wait, and the length at which the next warning is due; nil without a wait.
        let wait = Mutex<(start: Double, next: Double)?>(nil)
        let isOver = Atomic<Bool>(false)

        /// The length of the current wait if a warning is due.
        func due() -> Double? {
            wait.withLock { wait in
                guard let (start, next) = wait, Progress.now() - start >= next else { return nil }
                wait = (start, 2 * next)
                return next
            }
        }

        /// Whether the current wait is longer than `seconds`.
        func isLonger(than seconds: Double) -> Bool {
            wait.withLock { wait in wait.map { Progress.now() - $0.start >= seconds } ?? false }
        }
    }

    private let watch = Watch()
    private let first: Double

    /// - Parameters:
    ///   - first: the seconds until the first warning.
    ///   - limit: the maximum length; nil for no limit.
    ///   - warn: called on another thread with the length so far, in words.
    public init(first: Double = 30, limit: Limit? = nil, warn: @escaping @Sendable (String) -> Void) {
        self.first = first
        let pause = useconds_t(min(1, first / 4, (limit?.seconds ?? 4) / 4) * 1e6)
        // If the thread cannot start, there are no warnings, and everything else works.
        let thread = try? startThread { [watch] in
            while !watch.isOver.load(ordering: .relaxed) {
                usleep(pause)
                if let limit, watch.isLonger(than: limit.seconds) { return limit.pass() }
                if let length = watch.due() { warn(Progress.duration(length)) }
            }
        }
        if let thread { pthread_detach(thread) }
    }

    /// Runs `work`, which may take long.
    public func during<Result>(_ work: () throws -> Result) rethrows -> Result {
        watch.wait.withLock { $0 = (Progress.now(), first) }
        defer { watch.wait.withLock { $0 = nil } }
        return try work()
    }

    deinit { watch.isOver.store(true, ordering: .relaxed) }
}

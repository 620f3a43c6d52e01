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
    /// When the wait under way began and at which length it will be told; nil while there is none.
    private let wait = Mutex<(start: Double, next: Double)?>(nil)
    private let first: Double
    private let warn: @Sendable (String) -> Void

    /// - Parameters:
    ///   - first: seconds after which a wait is told the first time.
    ///   - warn: is told how long it has been, in words, by another thread.
    public init(first: Double = 30, warn: @escaping @Sendable (String) -> Void) {
        self.first = first
        self.warn = warn
        let box = unsafe Unmanaged.passRetained(Watch(self))
        var thread = pthread_t()
        let status = unsafe pthread_create(&thread, nil, { argument in
            if let argument = unsafe argument { unsafe Unmanaged<Watch>.fromOpaque(argument).takeRetainedValue().run() }
            return nil
        }, box.toOpaque())
        // Without the thread nothing is said, and all else goes on.
        if status == 0 { pthread_detach(thread) } else { unsafe box.release() }
    }

    /// Does `work`, which may take long.
    public func during<Result>(_ work: () throws -> Result) rethrows -> Result {
        wait.withLock { $0 = (Progress.now(), first) }
        defer { wait.withLock { $0 = nil } }
        return try work()
    }

    private func look() {
        let length = wait.withLock { wait -> Double? in
            guard let (start, next) = wait, Progress.now() - start >= next else { return nil }
            wait = (start, 2 * next)
            return next
        }
        if let length { warn(Progress.duration(length)) }
    }

    /// Looks at a wait as long as somebody holds it.
    private final class Watch: Sendable {
        private weak let subject: LongWait?
        private let pause: useconds_t

        init(_ subject: LongWait) {
            self.subject = subject
            pause = useconds_t(min(1, subject.first / 4) * 1e6)
        }

        func run() {
            while true {
                usleep(pause)
                guard let subject else { return }
                subject.look()
            }
        }
    }
}

import Platform
import Synchronization

/// Treats SIGTERM as a request: a tool with work to save checks ``isMade`` at a suitable moment, saves its work and
/// ends with ``Failure/Kind/stopped``.
///
/// Schedulers send SIGTERM before a job's time is over. A second one may come from the tool's parent, which was
/// signalled too. The third ends the tool at once, with the default action. One of several ranks may get any number of
/// signals, from a launcher and a scheduler.
public enum StopRequest {
    private static let asked = Atomic<Int>(0)
    /// The number of requests that do not end the process.
    private static let patience = Atomic<Int>(2)

    public static var isMade: Bool { asked.load(ordering: .acquiring) > 0 }

    /// From now on a SIGTERM does not end the process. No effect where SIGTERM is ignored.
    ///
    /// - Parameters:
    ///   - others: further signals with the same meaning: mpirun forwards SIGUSR1, but kills on SIGTERM.
    ///   - most: the number of requests that do not end the process; by default 2, or any number if there are `others`.
    public static func watch(others: [CInt] = [], most: Int? = nil) {
        _ = isMade  // Initialised before the handler can run.
        // A launcher and a scheduler each send signals to every process, and forward those of others.
        patience.store(most ?? (others.isEmpty ? 2 : .max), ordering: .releasing)
        for number in [SIGTERM] + others { watch(number) }
    }

    private static func watch(_ number: CInt) {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return }
        guard unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) != 1 else { return }  // SIG_IGN
        unsafe sigfillset(&action.sa_mask)
        action.sa_flags = SA_RESTART
        unsafe action.__sigaction_handler.sa_handler = { number in
            guard StopRequest.asked.add(1, ordering: .acquiringAndReleasing).newValue > StopRequest.patience.load(ordering: .acquiring) else { return }
            UnfinishedFiles.removeAll()
            signal(number, SIG_DFL)
            raise(number)
        }
        unsafe sigaction(number, &action, nil)
    }
}

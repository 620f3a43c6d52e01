import Platform
import Synchronization

/// SIGTERM as a request: a tool that has something to save asks ``isMade`` at a good moment, saves it and ends with ``Failure/Kind/stopped``.
///
/// Schedulers send it before a job's time is over; a second one may come from whoever started the tool and was asked too. The third ends it at once, as without this; one of several ranks is asked by a launcher and a scheduler, again and again.
public enum StopRequest {
    private static let asked = Atomic<Int>(0)
    /// Requests that end nothing.
    private static let patience = Atomic<Int>(2)

    public static var isMade: Bool { asked.load(ordering: .acquiring) > 0 }

    /// From now on a SIGTERM ends nothing. Not where it is ignored.
    ///
    /// - Parameters:
    ///   - others: signals that mean the same: mpirun hands SIGUSR1 on, and on a SIGTERM kills.
    ///   - most: requests that end nothing; nil for any number where there are others.
    public static func watch(others: [CInt] = [], most: Int? = nil) {
        _ = isMade  // Made before the handler can run.
        // A launcher and a scheduler each hand on their own, and others', to every process.
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

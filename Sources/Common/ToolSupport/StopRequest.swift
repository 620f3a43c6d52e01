import Platform
import Synchronization

/// SIGTERM as a request: a tool that has something to save asks ``isMade`` at a good moment, saves it and ends with ``Failure/Kind/stopped``.
///
/// Schedulers send it before a job's time is over. The second one ends the tool at once, as without this.
public enum StopRequest {
    private static let asked = Atomic<Bool>(false)

    public static var isMade: Bool { asked.load(ordering: .acquiring) }

    /// From now on the first SIGTERM ends nothing. Not where it is ignored.
    public static func watch() {
        _ = isMade  // Made before the handler can run.
        var action = sigaction()
        guard unsafe sigaction(SIGTERM, nil, &action) == 0 else { return }
        guard unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) != 1 else { return }  // SIG_IGN
        unsafe sigfillset(&action.sa_mask)
        action.sa_flags = SA_RESTART
        unsafe action.__sigaction_handler.sa_handler = { number in
            guard StopRequest.asked.exchange(true, ordering: .acquiringAndReleasing) else { return }
            UnfinishedFiles.removeAll()
            signal(number, SIG_DFL)
            raise(number)
        }
        unsafe sigaction(SIGTERM, &action, nil)
    }
}

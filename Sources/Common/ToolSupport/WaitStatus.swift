/// How a process has ended, as `waitpid` reports it.
public enum WaitStatus {
    /// Stands for a status that is not available, as where the system reaps children by itself (SIGCHLD ignored). No
    /// ended process has this value: its low bits mean "stopped".
    public static let unknown: CInt = -1

    /// "ended with exit status 3".
    public static func words(_ status: CInt) -> String {
        if status == unknown { return "ended with an unknown status" }
        return status & 0x7F == 0 ? "ended with exit status \(status >> 8 & 0xFF)" : "was killed by signal \(status & 0x7F)"
    }
}

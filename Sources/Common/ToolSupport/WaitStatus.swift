/// How a process has ended, as `waitpid` tells it.
public enum WaitStatus {
    /// In place of a status that cannot be had, as where the system reaps children by itself (SIGCHLD ignored). No process that has ended has it:
    /// its low bits say "stopped".
    public static let unknown: CInt = -1

    /// "ended with exit status 3".
    public static func words(_ status: CInt) -> String {
        if status == unknown { return "ended in a way that the system does not tell" }
        return status & 0x7F == 0 ? "ended with exit status \(status >> 8 & 0xFF)" : "was ended by signal \(status & 0x7F)"
    }
}

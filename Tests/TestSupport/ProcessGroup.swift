public import Glibc

/// A process that was started, and all that it starts.
public struct ProcessGroup: Sendable {
    public let leader: pid_t

    /// Its exit status, or 128 + n where signal n ended it. After so many seconds all of it is killed.
    public func wait(seconds: Int = 240) -> Int32 {
        var status: Int32 = 0
        for _ in 0..<seconds * 500 {
            if waitpid(leader, &status, WNOHANG) == leader { return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F }
            usleep(2000)
        }
        end()
        return wait(seconds: seconds)
    }

    /// Kills all of it, at once and without a warning.
    public func end() { kill(-leader, SIGKILL) }
}

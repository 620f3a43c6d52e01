import Foundation
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

    /// Those of its processes that run the program `name` now.
    public func members(named name: String) -> [pid_t] {
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
        return processes.filter { process in
            // PID (NAME) STATE PARENT GROUP …
            guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8), let end = text.lastIndex(of: ")") else { return false }
            return text[..<end].hasSuffix("(" + name.prefix(15)) && text[end...].split(separator: " ").dropFirst(3).first == "\(leader)"
        }
    }

    /// The same, once there are any; none after so many seconds or when it is over.
    public func waitForMembers(named name: String, seconds: Int) -> [pid_t] {
        for _ in 0..<seconds * 500 {
            let members = members(named: name)
            if !members.isEmpty { return members }
            usleep(2000)
        }
        return []
    }

    /// Kills all of it, at once and without a warning.
    public func end() { kill(-leader, SIGKILL) }
}

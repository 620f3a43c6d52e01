import Foundation
public import Platform
import Synchronization

/// A started process and all its descendants.
public final class ProcessGroup: Sendable {
    public let leader: pid_t
    /// The status once the process has been reaped. Nobody can wait for it again, and its number may then belong to
    /// another process.
    private let ended = Mutex<Int32?>(nil)

    init(leader: pid_t) { self.leader = leader }

    /// The leader's exit status, or 128 + n if signal n ended it. After so many seconds the whole group is killed.
    ///
    /// −1 if the leader's status is unavailable, or if not even SIGKILL ends it.
    public func wait(seconds: Int = 900) -> Int32 {
        var status: Int32?
        let isOver = waitUntil(seconds: seconds) {
            status = poll()
            return status != nil
        }
        if isOver { return status ?? -1 }
        end()
        return waitUntil(seconds: 60, { poll() != nil }) ? poll() ?? -1 : -1
    }

    /// Whether its leader has ended and has been reaped.
    public var isOver: Bool { poll() != nil }

    /// The leader's exit status if it has ended.
    private func poll() -> Int32? {
        ended.withLock { known in
            if known == nil {
                var status: Int32 = 0
                switch waitpid(leader, &status, WNOHANG) {
                case leader: known = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
                case -1 where errno != EINTR: known = -1
                default: break
                }
            }
            return known
        }
    }

    /// The processes of the group that currently run the program `name`.
    public func members(named name: String) -> [pid_t] {
        ProcessState.all.filter { $0.group == leader && $0.name == name.prefix(15) && $0.isAlive }.map(\.id)
    }

    /// The same, once there are any; empty after so many seconds or when the leader has ended.
    public func waitForMembers(named name: String, seconds: Int) -> [pid_t] {
        var found: [pid_t] = []
        _ = waitUntil(seconds: seconds) {
            found = members(named: name)
            return !found.isEmpty || isOver
        }
        return found
    }

    /// Kills the whole group at once and without a warning.
    public func end(by signal: CInt = SIGKILL) { kill(-leader, signal) }
}

/// The system's information on a process.
public struct ProcessState {
    public let id: pid_t
    let name: String
    let group: pid_t
    /// Whether the process may still do something. `kill(id, 0)` does not show this: it succeeds for a zombie, and
    /// orphans stay zombies if the first process of a container reaps none.
    public let isAlive: Bool
    /// Whether its first thread waits for something, and is not merely without a processor.
    public let isAsleep: Bool

    /// nil if there is no such process.
    public init?(_ id: pid_t) {
        // PID (NAME) STATE PARENT GROUP …
        guard let bytes = FileManager.default.contents(atPath: "/proc/\(id)/stat") else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let start = text.firstIndex(of: "("), let end = text.lastIndex(of: ")") else { return nil }
        let words = text[text.index(after: end)...].split(separator: " ")
        guard words.count > 2, let group = pid_t(words[2]) else { return nil }
        self.id = id
        self.group = group
        name = String(text[text.index(after: start)..<end])
        isAlive = !["Z", "X"].contains(words[0])
        isAsleep = words[0] == "S"
    }

    public static func isAlive(_ id: pid_t) -> Bool { ProcessState(id)?.isAlive == true }

    static var all: [ProcessState] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }.compactMap { ProcessState($0) }
    }

    /// Whether `variable`, such as "HOME=/tmp/x", is in the environment that it was started with.
    func has(_ variable: String) -> Bool {
        FileManager.default.contents(atPath: "/proc/\(id)/environ")?.split(separator: 0).contains { $0.elementsEqual(variable.utf8) } == true
    }
}

/// Waits until `condition` holds, however slow the machine is; false after so many seconds.
///
/// Tests wait for a sign that an event has happened. A sleep instead would be too short on some machine.
public func waitUntil(seconds: Int = 300, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while try !condition() {
        if ContinuousClock.now > end { return false }
        usleep(2000)
    }
    return true
}

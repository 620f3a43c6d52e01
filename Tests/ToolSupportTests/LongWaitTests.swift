import Platform
import Synchronization
import Testing
import ToolSupport

struct LongWaitTests {
    private final class Words: Sendable {
        let said = Mutex<[String]>([])
        var all: [String] { said.withLock { $0 } }
    }

    @Test func `a long wait is told, and again each time it has doubled`() throws {
        let words = Words()
        let wait = LongWait(first: 0.2) { text in words.said.withLock { $0.append(text) } }
        let result = wait.during {
            while words.all.count < 3 { usleep(1000) }
            return 7
        }
        #expect(result == 7)
        // A fourth may come before this thread has looked.
        #expect(words.all.prefix(3) == ["0.2 s", "0.4 s", "0.8 s"])
    }

    @Test func `short waits are not added up, and time between them does not count`() throws {
        let words = Words()
        // Each wait is far shorter than the limit, because a short sleep may be long on some machines; together they
        // are longer.
        let wait = LongWait(first: 2) { text in words.said.withLock { $0.append(text) } }
        for _ in 0..<30 { wait.during { _ = usleep(80_000) } }
        usleep(2_400_000)
        #expect(words.all.isEmpty)
    }

    @Test func `an error comes through and ends the wait`() throws {
        struct Broken: Error {}
        let words = Words()
        let wait = LongWait(first: 0.1) { text in words.said.withLock { $0.append(text) } }
        #expect(throws: Broken.self) { try wait.during { throw Broken() } }
        usleep(300_000)
        #expect(words.all.isEmpty)
    }
}

extension LongWaitTests {
    @Test func `a wait that reaches its limit is ended once, and a shorter one is not`() throws {
        let passed = Mutex(0)
        let wait = LongWait(limit: .init(seconds: 2) { passed.withLock { $0 += 1 } }) { _ in }
        for _ in 0..<30 { wait.during { _ = usleep(80_000) } }
        #expect(passed.withLock { $0 } == 0)
        wait.during { while passed.withLock({ $0 }) == 0 { usleep(1000) } }
        wait.during { _ = usleep(2_400_000) }
        #expect(passed.withLock { $0 } == 1)
    }
}

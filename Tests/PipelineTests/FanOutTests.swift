import Foundation
import TestSupport
import Testing

/// One stream to several programs.
struct FanOutTests {
    @Test func `every command has the stream to the byte, however slow another is`() throws {
        let place = try Workplace()
        let result = try place.run("""
            head -c 7000001 /dev/urandom > in
            fan-out --ended ended -- sh -c 'cat > a' -- sh -c 'sleep 0.3; cat > b' -- sh -c 'head -c 3000000 > c; sleep 0.2; cat >> c' < in
            cmp in a && cmp in b && cmp in c
            """)
        #expect(result.status == 0 && result.error.isEmpty, "\(result.error)")
        #expect(try place.text("ended") == "0\n0\n0\n")
        // An argument is passed on unchanged, whatever it contains.
        #expect(try place.run(#"echo x | fan-out -- sh -c 'cat; echo "$0|$1"' 'a  b' '*'"#).output == "x\na  b|*\n")
    }

    @Test func `what one that fails, is killed or reads little does takes nothing from the others`() throws {
        let place = try Workplace()
        for (command, status, exit, words) in [
            ("sh -c 'head -c 1000 > /dev/null; exit 66'", "66", 66, "ended with exit status 66"), ("sh -c 'kill -9 $$'", "137", 65, "was killed by signal 9"),
            ("sh -c 'exit 3'", "3", 65, "ended with exit status 3"), ("true", "0", 0, ""), ("sh -c 'cat > /dev/null; exit 74'", "74", 74, "ended with exit status 74"),
        ] {
            let result = try place.run("rm -f ended a b; head -c 5000000 /dev/zero > in; fan-out --ended ended -- sh -c 'cat > a' -- \(command) -- sh -c 'cat > b' < in; s=$?; cmp in a && cmp in b; exit $s")
            #expect(result.status == exit && (words.isEmpty ? result.lines == [] : result.lines.count == 1 && result.error.hasSuffix(": \(words)\n")), "\(command): \(result.status) \(result.error)")
            #expect(try place.text("ended") == "0\n\(status)\n0\n", "\(command)")
        }
    }

    @Test func `it ends when nobody reads any more, and its own end is the end of their stream`() throws {
        let place = try Workplace()
        let gone = try place.run("yes | fan-out --ended ended -- head -c 10 -- head -n 3 > out; exit ${PIPESTATUS[1]}")
        #expect(gone.status == 0 && gone.error.isEmpty, "\(gone.error)")
        // The programs of a killed fan-out see the end of their input, and no exit status is recorded.
        let killed = try place.start("rm ended; yes | fan-out --ended ended -- sh -c 'cat > /dev/null; touch a' -- sh -c 'cat > /dev/null; touch b'")
        #expect(waitUntil { killed.members(named: "cat").count == 2 })
        for process in killed.waitForMembers(named: "fan-out", seconds: 60) { kill(process, SIGKILL) }
        #expect(waitUntil { place.exists("a") && place.exists("b") })
        killed.end()
        _ = killed.wait()
        #expect(!place.exists("ended"))
    }

    @Test func `a command line that is none is refused`() throws {
        let place = try Workplace()
        for (words, status, told) in [
            ("", 64, "name the programs that read the stream"), ("--", 64, "name the programs that read the stream"), ("-- cat --", 64, "a command is empty"), ("-- -- cat", 64, "a command is empty"),
            ("cat", 64, "name the programs that read the stream"), ("--ended - -- cat", 64, "--ended takes a file"), ("-- cat -- no-such-program x", 64, "'no-such-program x': cannot start it: No such file or directory"),
            ("--ended nowhere/x -- cat", 73, "nowhere/x"),
        ] {
            let result = try place.run("echo x | fan-out \(words)")
            #expect(result.status == status && result.lines.count == 1 && result.error.contains(told), "\(words): \(result.status) \(result.error)")
        }
    }
}

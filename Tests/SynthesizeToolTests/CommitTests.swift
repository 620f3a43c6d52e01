import Foundation
import Platform
import Testing
import TestSupport

/// The data set of a run that is killed, or overtaken by another run, on a slow disk.
struct CommitTests {
    private static let options = "--classes 4 --train 240 --test 40 --size 16 --shards 4 -q"
    private let place: Workplace

    init() throws {
        place = try Workplace()
        try place.write("""
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <errno.h>
            #include <stdlib.h>
            #include <unistd.h>
            int fsync(int file) {
                const char *gate = getenv("FSYNC_AFTER");
                while (gate && access(gate, F_OK)) usleep(1000);
                usleep(atoi(getenv("FSYNC_MILLISECONDS")) * 1000);
                return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
            }
            int renameat2(int one, const char *from, int other, const char *to, unsigned flags) {
                if (getenv("NO_EXCHANGE")) return errno = EINVAL, -1;
                return ((int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2"))(one, from, other, to, flags);
            }
            """, to: "slow.c")
        try place.run("synthesize -o whole \(Self.options)")
    }

    /// Whether a C compiler is installed, which the slow disk needs.
    static let hasCompiler = Workplace.runs("command -v cc")

    /// The command that draws a set on a slow disk.
    ///
    /// - Parameter gate: a file that must exist before the disk accepts anything.
    private func slow(_ milliseconds: Int, _ options: String = CommitTests.options, after gate: String? = nil) -> String {
        "LD_PRELOAD=$PWD/slow.so \(gate.map { "FSYNC_AFTER=$PWD/\($0) " } ?? "")FSYNC_MILLISECONDS=\(milliseconds) synthesize -o a \(options)"
    }

    private func compile() throws { #expect(try place.run("cc -shared -fPIC -o slow.so slow.c -ldl").status == 0) }

    /// The set under its name is complete or absent.
    private func checkWhole(_ comment: Comment? = nil) throws {
        if place.exists("a") { #expect(try place.run("diff -r a whole").status == 0, comment) }
    }

    @Test(.enabled(if: CommitTests.hasCompiler, "there is no C compiler"))
    func `a run that is killed leaves nothing under the set's name, and one that starts at once is not disturbed by what is left`() throws {
        try compile()
        var kills = 0
        for round in 0..<Effort.rounds(8, long: 150) {
            var random = Effort.random("commits", round: round)
            try place.run("rm -rf a a.*")
            let first = try place.start("exec env \(slow(100))")
            // Any moment of the run, and sometimes one after its end.
            usleep(UInt32.random(in: 0..<1_500_000, using: &random))
            if !first.isOver { kills += kill(first.leader, SIGKILL) == 0 ? 1 : 0 }
            try checkWhole("\(Effort.place(round))")
            #expect(try place.run(slow(0)).status == 0, "\(Effort.place(round))")
            #expect(place.exists("a"), "\(Effort.place(round))")
            try checkWhole("\(Effort.place(round))")
            _ = first.wait()
        }
        #expect(kills > 0)
        Effort.report("\(kills) kills of synthesize on a slow disk")
    }

    @Test(.enabled(if: CommitTests.hasCompiler, "there is no C compiler"))
    func `an orphan and the run that takes its place end in the same whole set, whoever is first`() throws {
        try compile()
        for (one, other) in Array(repeating: [(80, 20), (20, 80), (50, 50), (50, 45)], count: Effort.rounds(1, long: 5)).joined() {
            try place.run("rm -rf a a.*")
            // A shell stands for make: when it is killed, its child keeps running.
            let first = try place.start("\(slow(one)); :")
            try #require(waitUntil { place.hasUnfinished })
            kill(first.leader, SIGKILL)
            _ = first.wait()
            let second = try place.run(slow(other))
            #expect(second.status == 0, "\(second.error)")
            try checkWhole()
            // The orphan ends by itself and leaves nothing behind.
            #expect(waitUntil { !place.hasUnfinished } && place.exists("a"))
            try checkWhole()
        }
    }

    @Test(.enabled(if: CommitTests.hasCompiler, "there is no C compiler"))
    func `a set is replaced at once, and there is always one`() throws {
        try compile()
        try place.run("cp -r whole a")
        let run = try place.start("exec env \(slow(30, Self.options + " --seed 7", after: "go"))")
        try #require(waitUntil { place.hasUnfinished })
        var seen: Set<Bool> = []
        _ = try waitUntil {
            // Query this before looking: then the state left by a finished run is seen too.
            let isOver = run.isOver
            let isOld = try place.run("cmp -s a/classes.txt whole/classes.txt && test -e a/train/train-003.tar && cmp a/train/train-000.tar whole/train/train-000.tar > /dev/null; echo $?").output
            seen.insert(isOld == "0\n")
            #expect(place.exists("a/classes.txt") && place.exists("a/test/test-003.tar"))
            try place.run("touch go")
            return isOver
        }
        #expect(run.wait() == 0 && seen == [true, false])
        try place.run("synthesize -o fresh \(Self.options) --seed 7")
        #expect(try place.run("diff -r a fresh").status == 0 && !place.hasUnfinished)
    }

    @Test(.enabled(if: CommitTests.hasCompiler, "there is no C compiler"))
    func `a set is replaced on file systems that cannot exchange two folders, too`() throws {
        try compile()
        try place.run("cp -r whole a; synthesize -o fresh \(Self.options) --seed 7")
        let result = try place.run("NO_EXCHANGE=1 \(slow(0, Self.options + " --seed 7"))")
        #expect(result.status == 0 && !place.hasUnfinished, "\(result.error)")
        #expect(try place.run("diff -r a fresh").status == 0)
    }

    @Test(.enabled(if: CommitTests.hasCompiler, "there is no C compiler"))
    func `a late orphan with other options does not replace the set of the run after it`() throws {
        try compile()
        let orphan = try place.start("exec env \(slow(0, Self.options + " --seed 7", after: "go"))")
        try #require(waitUntil { place.hasUnfinished })
        #expect(try place.run(slow(0)).status == 0)
        try checkWhole()
        try place.run("touch go")
        #expect(orphan.wait() == 73)
        #expect(place.exists("a") && !place.hasUnfinished)
        try checkWhole()
    }
}

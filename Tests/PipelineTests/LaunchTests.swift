import Foundation
import Platform
import TestSupport
import Testing

private let isMPIThere = Workplace.runs("command -v mpirun && train-step --check-options --mpi --student a -o b")

/// LAUNCH: epochs on several ranks.
@Suite(.enabled(if: isMPIThere, "mpirun is not installed, or the tools were built without MPI"), .serialized)
struct LaunchTests {
    private static let settings = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test BATCH_GROUPS=4 CHECKPOINT_EVERY="
    private func ranks(_ count: Int, _ options: String = "--oversubscribe --allow-run-as-root") -> String { "LAUNCH='mpirun -n \(count) \(options)'" }

    // The teacher is also trained by ranks; the second of two students waits for the first; stored rows are joined to
    // parts of batches.
    @Test(arguments: ["", "STUDENTS='tiny-resnet10 tiny-resnet18' STORE=1 EPOCHS=3"])
    func `a run on ranks is the run of one process, to the last byte`(option: String) throws {
        let place = try Workplace.images()
        try place.perform(place.make("one", "\(Self.settings) \(option)") + " 2> said")
        // The path of a host file is relative to the folder in which make was called.
        let relative = String(repeating: "../", count: Workplace.root.split(separator: "/").count) + place.path("hosts").dropFirst()
        try place.write("localhost slots=4\n", to: "hosts")
        try place.perform(place.make("three", "\(Self.settings) \(option) RANK_TIMEOUT=60 \(ranks(3, "--allow-run-as-root --hostfile \(relative)"))") + " 2> said")
        try place.expectSame("three", "one")
        // The run does not store how its epochs were launched, and a change of it invalidates nothing.
        let again = try place.run(place.make("three", "\(Self.settings) \(option)"))
        #expect(again.status == 0 && again.error.contains("nothing: all is done"), "\(again.error)")
        #expect(try !place.text("runs/three/settings").contains("LAUNCH"))
    }

    @Test func `a scheduler's SIGTERM saves the epoch, and it goes on by one process`() throws {
        let place = try Workplace.images()
        let settings = "\(Self.settings) BATCH=4 BATCH_GROUPS=2 TEACHER_BATCH=16 EPOCHS=1 STEPS=600"
        try place.perform(place.make("calm", settings) + " 2> said")
        let isCaught = try (0..<20).contains { _ in try place.isStoppedInEpoch("a", "\(settings) \(ranks(2))") }
        try #require(isCaught)
        let said = try place.text(".error")
        #expect(said.contains("student.1.interim.safetensors: stopped on request after batch ") && said.contains("student.1 was stopped; the same make resumes it"), "\(said)")
        let result = try place.run(place.make("a", settings))
        #expect(result.status == 0 && result.error.contains("resumes after batch "), "\(result.error)")
        try place.expectSame("a", "calm")
    }

    @Test func `what SHOW prints of ranks is to be pasted, and a notice that comes while they start is not lost`() throws {
        let place = try Workplace.images(), settings = "\(Self.settings) EPOCHS=1"
        try place.perform(place.make("a", "\(settings) UNTIL=students") + " 2> said")
        try place.perform("cp runs/a/student.1.safetensors before; " + place.make("a", "STAGE=student.1 SHOW=1 \(ranks(2))").replacing(" distill ", with: " stage ") + " > shown")
        try place.perform("bash shown 2> said; cmp before runs/a/student.1.safetensors")
        // As pipelines/stage starts it; the first signal comes before any rank exists.
        try place.write("#!/bin/bash\ntrap 'echo > first' USR1\nwhile [ ! -e first ]; do sleep 0.1; done\ntrap 'echo > asked; exit 75' USR1\nfor i in {1..100}; do sleep 0.1; done\n", to: "mpirun.slow")
        let asked = try place.run("""
            mkdir -p log; chmod +x mpirun.slow; export SEED_LAUNCH=$'./mpirun.slow\\n-n\\n2' SEED_PROGRAM_FOLDER=$PWD
            \(Workplace.root)/pipelines/launch true & sleep 1; kill -TERM $!; wait $!
            """)
        #expect(asked.status == 75 && place.exists("asked"), "\(asked.error)")
    }

    @Test func `a launcher that does not end when its ranks have failed is ended, with their status`() throws {
        let place = try Workplace.images()
        try place.write("#!/bin/bash\nshift 2\n\"$@\"\nexec sleep 1000\n", to: "mpirun.hung")
        let run = try place.run("""
            mkdir -p log; chmod +x mpirun.hung; export SEED_LAUNCH=$'./mpirun.hung\n-n\n2' SEED_PROGRAM_FOLDER=$PWD
            timeout 60 \(Workplace.root)/pipelines/launch 'exit 74'
            """)
        #expect(run.status == 74 && run.error.contains("make: ranks have failed, but ./mpirun.hung has not ended within 6 s: killing it"), "\(run.status) \(run.error)")
    }

    @Test func `what cannot work is said before anything is done`() throws {
        let place = try Workplace.images()
        func failure(_ settings: String, _ words: String...) throws {
            let run = try place.run(place.make("a", "\(Self.settings) \(settings)"))
            #expect(run.status == 2 && !place.exists("runs/a"), "\(settings): \(run.error)")
            for word in words { #expect(run.error.contains(word), "\(settings): \(run.error)") }
        }
        try failure(ranks(5), "plan: LAUNCH: it starts 5 ranks, and a batch has 4 groups; BATCH_GROUPS=5, or a multiple of it")
        try failure(ranks(2) + " BATCH_GROUPS=", "it starts 2 ranks, and a batch has 1 group; BATCH_GROUPS=2")
        try failure("BATCH_GROUPS=9", "BATCH=16 leaves fewer than two images for each of BATCH_GROUPS=9 groups; use BATCH_GROUPS=1")
        try failure("STUDENT_OPTIONS='--batch-groups 2'", "STUDENT_OPTIONS: --batch-groups is set by BATCH_GROUPS; give BATCH_GROUPS=n instead")
        try failure("LAUNCH='nice true'", "plan: LAUNCH: nice starts no processes that the variables of Open MPI, PMI or Slurm number as ranks", "such as LAUNCH='mpirun -n 2'")
        try failure("LAUNCH='env A=b mpirun -n 2'", "plan: LAUNCH: env hides the name of the launcher")
        try failure("\(ranks(2)) TEACHER_STATISTICS=batch", "TEACHER_STATISTICS=batch needs whole batches, but with LAUNCH each rank has only a part")
        try failure("\(ranks(2)) STUDENT_OPTIONS='--rank-timeout 9'", "STUDENT_OPTIONS: --rank-timeout has its own setting; give RANK_TIMEOUT instead")
        try failure("PARTITION=cpu", "plan: PARTITION is for make distill-slurm; did you mean that?")
        try failure("SHARD=1/2", "plan: SHARD is for make shard; did you mean that?")
        try failure("LAUNCH=false", "plan: LAUNCH: false ended with exit status 1")
        try failure("\(ranks(2)) TAP=3", "TAP keeps records of one pipeline, and LAUNCH starts several")
        try failure("LAUNCH='mpirun -n 500 --allow-run-as-root' BATCH_GROUPS=4", "There are not enough slots available")
        if geteuid() == 0 { try failure("LAUNCH='mpirun -n 2'", "LAUNCH: mpirun refuses to run as root; add --allow-run-as-root") }
        let many = try place.run(place.make("a", "\(Self.settings) \(ranks(4))").replacingOccurrences(of: " distill ", with: " check "))
        let processors = ProcessInfo.processInfo.activeProcessorCount
        #expect(many.status == 0 && many.error.contains("LAUNCH: 4 ranks on ") == (processors < 4), "\(many.error)")
    }
}

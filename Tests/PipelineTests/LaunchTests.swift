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

    // The teacher is trained by ranks too; the second of two students waits for the first; stored rows are joined to parts of batches.
    @Test(arguments: ["", "STUDENTS='tiny-resnet10 tiny-resnet18' STORE=1 EPOCHS=3"])
    func `a run on ranks is the run of one process, to the last byte`(option: String) throws {
        let place = try Workplace.images()
        try place.perform(place.make("one", "\(Self.settings) \(option)") + " 2> said")
        try place.perform(place.make("three", "\(Self.settings) \(option) \(ranks(3))") + " 2> said")
        try place.expectSame("three", "one")
        // Where it was done is nothing that a run remembers, or that undoes it.
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
        #expect(said.contains("student.1.interim.safetensors: stopped on request behind batch ") && said.contains("student.1 was stopped; the same make goes on from there"), "\(said)")
        let result = try place.run(place.make("a", settings))
        #expect(result.status == 0 && result.error.contains("goes on behind batch "), "\(result.error)")
        try place.expectSame("a", "calm")
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
        try failure("BATCH_GROUPS=9", "BATCH=16 leaves less than two images for each of BATCH_GROUPS=9 groups; take BATCH_GROUPS=1")
        try failure("STUDENT_OPTIONS='--batch-groups 2'", "STUDENT_OPTIONS: --batch-groups is what BATCH_GROUPS says; give BATCH_GROUPS=n in its place")
        try failure("LAUNCH='env A=b'", "plan: LAUNCH: env starts nothing that Open MPI's, PMI's or Slurm's variables number as ranks", "such as LAUNCH='mpirun -n 2'")
        try failure("LAUNCH=false", "plan: LAUNCH: false ended with exit status 1")
        try failure("\(ranks(2)) TAP=3", "TAP keeps records of one pipeline, and LAUNCH starts several")
        try failure("LAUNCH='mpirun -n 500 --allow-run-as-root' BATCH_GROUPS=4", "There are not enough slots available")
        if geteuid() == 0 { try failure("LAUNCH='mpirun -n 2'", "LAUNCH: mpirun refuses to run as root; add --allow-run-as-root") }
        let many = try place.run(place.make("a", "\(Self.settings) \(ranks(4))").replacingOccurrences(of: " distill ", with: " check "))
        let processors = ProcessInfo.processInfo.activeProcessorCount
        #expect(many.status == 0 && many.error.contains("LAUNCH: 4 ranks on ") == (processors < 4), "\(many.error)")
    }
}

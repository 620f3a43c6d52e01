import Foundation
import TestSupport
import Testing

/// UNTIL and make shard: a run whose features are computed in parallel shards.
@Suite(.serialized)
struct FeatureShardsTests {
    private let place: Workplace

    init() throws {
        // More than a batch of features.
        place = try Workplace()
        try place.perform("synthesize --classes 4 --train 700 --test 300 --size 16 -q -o pictures")
    }

    private func make(_ name: String, _ settings: String = "") -> String { place.make(name, "DATA=$PWD/pictures/train TEST=$PWD/pictures/test EPOCHS=1 \(settings)") }
    private func shard(_ name: String, _ part: String, _ settings: String = "") -> String {
        "make --no-print-directory -C '\(Workplace.root)' shard BUILD=no RUNS=$PWD/runs NAME=\(name) SHARD=\(part) \(settings)"
    }

    @Test func `features made in parts are those of one process, to the last byte`() throws {
        try place.perform("\(make("whole")) 2> said; \(make("parts", "UNTIL=students")) 2> said")
        #expect(try !place.contents("runs/parts").contains { $0.hasPrefix("features/") })
        // In parallel, like the tasks of a job array.
        try place.perform("for i in 1 2 3; do \(shard("parts", "$i/3")) 2> said.$i & all+=($!); done; for one in ${all[@]}; do wait $one; done")
        #expect(try place.contents("runs/parts/shards").count == 18)
        try place.perform(shard("parts", "1/1").replacing(" shard ", with: " stage ").replacing("SHARD=1/1", with: "STAGE=features.student.1.train SHOW=1") + " > shown")
        #expect(try place.text("shown").contains("merge-shards") && place.contents("runs/parts/shards").count == 18)
        let again = try place.run(shard("parts", "02/3"))
        #expect(again.status == 0 && again.error.contains("part 2 of 3 of all features is done"), "\(again.error)")
        try place.perform(make("parts") + " 2> said")
        #expect(try place.contents("runs/parts/shards").isEmpty && !place.exists("runs/parts/log/features.student.1.train.json"))
        try place.expectSame("parts", "whole")
    }

    @Test func `parts of which one is missing, and those of other settings, are not taken`() throws {
        try place.perform("\(make("a", "UNTIL=students")) 2> said; \(shard("a", "1/2")) 2> said; \(make("a")) 2> said; \(make("whole")) 2> said")
        #expect(try place.contents("runs/a/shards").isEmpty && place.exists("runs/a/log/features.student.1.train.json"))
        try place.expectSame("a", "whole")
        try place.perform("\(make("b", "UNTIL=students SEED=1")) 2> said; for i in 1 2; do \(shard("b", "$i/2")) 2> said; done; \(make("b", "SEED=0")) 2> said")
        try place.expectSame("b", "whole")
        #expect(try place.contents("runs/b/shards").isEmpty)
    }

    @Test func `what cannot be is said`() throws {
        func failure(_ line: String, _ words: String...) throws {
            let run = try place.run(line)
            #expect(run.status == 2, "\(run.error)")
            for word in words { #expect(run.error.contains(word), "\(run.error)") }
        }
        try failure(shard("a", "1/2"), "there is no run in")
        try failure(make("a", "UNTIL=teacher METHOD=simclr"), "this run trains no teacher")
        try failure(make("a", "UNTIL=now"), "UNTIL=now: there is none of that name", "there are teacher, students")
        try place.perform("\(make("a", "UNTIL=teacher")) 2> said")
        #expect(place.exists("runs/a/teacher.1.safetensors") && !place.exists("runs/a/student.1.safetensors"))
        try failure(shard("a", "1/2"), "features.student.0.train needs student.0, which is not done", "UNTIL=students")
        try place.perform("\(make("a", "UNTIL=students")) 2> said")
        for part in ["", "0/2", "3/2", "1/1", "2", "a/b"] { try failure(shard("a", part), part.isEmpty ? "SHARD is not given" : "SHARD=\(part): is not a part") }
        try failure(shard("a", "1/2", "SEED=7"), "make shard uses the run's own settings, but other settings were given")
    }
}

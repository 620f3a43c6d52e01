import Foundation
import TensorStreams
import TestSupport
import Testing

/// One stage in isolation.
struct StageTests {
    private func stage(_ place: Workplace, _ name: String, _ more: String = "") -> String {
        "make --no-print-directory -C '\(Workplace.root)' stage BUILD=no RUNS=$PWD/runs NAME=a STAGE=\(name) \(more)"
    }

    @Test func `every stage runs alone to the same bytes, and the command it shows does too`() throws {
        let place = try Workplace()
        let make = place.make("a", "SYNTHESIZE_OPTIONS='--classes 4 --train 96 --test 32 --size 24'")
        try #require(try place.run(make).status == 0)
        let expected = try place.results("a")
        let stages = try place.text("runs/a/stages").split(separator: "\n").dropLast().map { String($0.prefix { $0 != " " }) }
        #expect(stages.count == 1 + 3 + 2 + 1 + 6 + 9 + 1)
        for name in stages {
            let alone = try place.run(stage(place, name))
            #expect(alone.status == 0 && alone.lines.filter { $0.hasPrefix("== ") } == ["== \(name)"], "\(alone.error)")
            let shown = try place.run(stage(place, name, "SHOW=1"))
            #expect(shown.status == 0 && shown.error.isEmpty && !shown.output.contains("@"), "\(shown.output) \(shown.error)")
            let pasted = try place.run("rm -rf runs/a/pictures.jpg; \(shown.output)")
            #expect(pasted.status == 0, "\(name): \(pasted.error)")
        }
        #expect(try place.results("a") == expected)
        #expect(try place.toDo(place.run(make)) == "nothing: all is done")
    }

    @Test func `TAP keeps the first records of every stream between tools`() throws {
        let place = try Workplace.pictures()
        try #require(try place.run(place.make("a")).status == 0)
        let before = try place.results("a")
        for (name, taps) in [
            ("teacher.1", ["teacher.1.1-augment"]), ("student.2", ["student.2.1-augment", "student.2.2-embed"]),
            ("features.student.0.test", ["features.student.0.test.1-augment", "features.student.0.test.2-embed"]),
        ] {
            try place.run("rm -rf runs/a/tap")
            let result = try place.run(stage(place, name, "TAP=2"))
            #expect(result.status == 0, "\(result.error)")
            #expect(try place.contents("runs/a/tap") == taps.map { $0 + ".tensors.zst" })
            for tap in taps {
                let (header, records) = try place.read("runs/a/tap/\(tap).tensors.zst")
                #expect(records.count == min(2, name.hasPrefix("features") ? 1 : 2) && !header.provenance.lines.isEmpty)
            }
        }
        #expect(try place.results("a") == before)
    }

    @Test func `a stage without what it reads, and one that is none, are refused with what to do`() throws {
        let place = try Workplace.pictures()
        try #require(try place.run(place.make("a")).status == 0)
        try place.run("rm runs/a/student.1.safetensors")
        let missing = try place.run(stage(place, "student.2"))
        #expect(missing.status == 2 && missing.error.contains("student.2 needs student.1, which is not done with these settings; run make distill, or that stage first"), "\(missing.error)")
        for (name, words) in [
            ("studnet.2", "did you mean student.2?"), ("student.3", "there is no such stage"), ("", "STAGE is not given"), ("features.teacher", "did you mean features.teacher.test?"),
        ] {
            let result = try place.run(stage(place, name))
            #expect(result.status == 2 && result.error.contains(words) && result.error.contains("stages are student.0 to student.2, teacher.0 to teacher.1"), "\(result.error)")
        }
        let option = try place.run(stage(place, "student.1", "SHWO=1"))
        #expect(option.status == 2 && option.error.contains("did you mean SHOW?"))
    }

    @Test func `other drawn images take the place of those before`() throws {
        let place = try Workplace()
        let make = { (options: String) in place.make("a", "EPOCHS=1 SYNTHESIZE_OPTIONS='--train 96 --test 32 --size 24 \(options)'") }
        try #require(try place.run(make("--classes 4 --shards 4")).status == 0)
        let result = try place.run(make("--classes 3 --shards 2"))
        #expect(result.status == 0 && result.error.contains("== pictures"), "\(result.error)")
        #expect(try place.contents("runs/a/pictures").filter { $0.hasSuffix(".tar") }.count == 4)
    }

    @Test func `SHOW writes nothing, and shows no settings that the run does not have`() throws {
        let place = try Workplace.pictures()
        let none = try place.run(stage(place, "student.1", "SHOW=1 DATA=$PWD/pictures/train"))
        #expect(none.status == 2 && !place.exists("runs"), "\(none.error)")
        try #require(try place.run(place.make("a")).status == 0)
        let before = try place.text("runs/a/settings") + place.text("runs/a/options/student.train")
        let other = try place.run(stage(place, "student.1", "SHOW=1 STUDENT_OPTIONS='--learning-rate 0.7'"))
        #expect(other.status == 2 && other.error.contains("these are not its settings"), "\(other.error)")
        #expect(try place.text("runs/a/settings") + place.text("runs/a/options/student.train") == before)
    }

    @Test func `a stage done alone with other options does not pass for the run's`() throws {
        let place = try Workplace.pictures()
        try #require(try place.run(place.make("a") + " EPOCHS=3").status == 0)
        let expected = try place.results("a"), options = try place.text("runs/a/settings")
        try #require(try place.run(stage(place, "student.1", "STUDENT_OPTIONS='--learning-rate 0.5'")).status == 0)
        try place.write(options, to: "runs/a/settings")
        #expect(try place.toDo(place.run(place.make("a") + " EPOCHS=3")) == "nothing: all is done")
        let needed = try place.run("rm runs/a/student.[23].safetensors; \(place.make("a") + " EPOCHS=3")")
        #expect(needed.status == 0 && place.toDo(needed) == "student.1 … student.3", "\(needed.error)")
        #expect(try place.results("a") == expected)
    }
}

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
        let make = place.make("a", "SYNTHESIZE_OPTIONS='--classes 4 --train 96 --test 32 --size 24' EXPORT='onnx torch'")
        try #require(try place.run(make).status == 0)
        let expected = try place.results("a")
        let stages = try place.text("runs/a/stages").split(separator: "\n").dropLast().map { String($0.prefix { $0 != " " }) }
        #expect(stages.count == 1 + 3 + 2 + 1 + 2 + 6 + 9 + 2)
        for name in stages {
            let alone = try place.run(stage(place, name))
            #expect(alone.status == 0 && alone.lines.filter { $0.hasPrefix("== ") } == ["== \(name)"], "\(alone.error)")
            let shown = try place.run(stage(place, name, "SHOW=1"))
            #expect(shown.status == 0 && shown.error.isEmpty && !shown.output.isEmpty && !shown.output.contains("@"), "\(shown.output) \(shown.error)")
            // Files are identified by inode and timestamp: new files replace the old ones.
            let list = "find runs/a -type f -printf '%P %i %T@\\n' | sort"
            let before = try place.run("rm -rf runs/a/pictures.jpg; \(list)").output
            let pasted = try place.run(shown.output)
            #expect(pasted.status == 0, "\(name): \(pasted.error)")
            #expect(try place.run(list).output != before, "\(name) writes nothing")
        }
        #expect(try place.results("a") == expected)
        #expect(try place.toDo(place.run(make)) == "nothing: all is done")
    }

    @Test func `an epoch that was done when there were to be fewer has their schedule when it is done alone`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a") + " EPOCHS=1").status == 0)
        try #require(try place.run(place.make("a") + " EPOCHS=3").status == 0)
        let before = try place.results("a")
        for name in ["student.1", "student.3"] { #expect(try place.run(stage(place, name, "TAP=1")).status == 0) }
        #expect(try place.run(stage(place, "student.1", "SHOW=1")).output.contains("--epochs 1 "))
        #expect(try place.results("a") == before)
        #expect(try place.toDo(place.run(place.make("a") + " EPOCHS=3")) == "nothing: all is done")
    }

    @Test func `TAP keeps the first records of every stream between tools`() throws {
        let place = try Workplace.images()
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
        let place = try Workplace.images()
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

    @Test func `a run that is not there is told, with those that are`() throws {
        let place = try Workplace.images()
        let none = try place.run(stage(place, "student.1").replacing("NAME=a", with: "NAME=nothere"))
        #expect(none.status == 2 && none.error.contains("plan: NAME=nothere: there is no run in \(place.path("runs")); run make distill first"), "\(none.error)")
        try #require(try place.run(place.make("first") + " EPOCHS=1").status == 0)
        try place.run("mkdir runs/second runs/third; touch runs/third/settings")
        for more in ["", "SHOW=1", "SHOW=1 DATA=$PWD/pictures/train"] {
            let other = try place.run(stage(place, "x", more).replacing("NAME=a", with: "NAME=frist"))
            #expect(other.status == 2 && other.error.contains("plan: NAME=frist: there is no such run in \(place.path("runs")); did you mean first? there are first, third"), "\(other.error)")
        }
        #expect(!place.exists("runs/frist") && !place.exists("runs/nothere"))
        // A new run may start with a stage without prerequisites; of two started at once neither undoes the other.
        let begin = place.make("new").replacing(" distill ", with: " stage ") + " STAGE="
        let both = try place.run("\(begin)student.0 & one=$!; \(begin)teacher.0; two=$?; wait $one && [ $two = 0 ]")
        #expect(both.status == 0 && place.exists("runs/new/done/student.0") && place.exists("runs/new/done/teacher.0"), "\(both.error)")
    }

    @Test func `plan lets the tools look at the words that the recipes give them`() throws {
        let place = try Workplace()
        let make = place.make("a", "THREADS=2 SYNTHESIZE_OPTIONS='--classes 4 --train 96 --test 32 --size 24' STUDENT_OPTIONS=\"--loss 'queue-loss -q --queue-size 24'\"")
        try #require(try place.run(make).status == 0)
        // Tools that record their arguments, beside a plan that finds them as its own tools.
        try place.write("""
            #!/bin/bash
            [ "$1" != --check-options ] || { printf '%q ' "${0##*/}" "${@:2}"; echo; } >> '\(place.path("asked"))'
            exec '\(Workplace.tools.path)'/"${0##*/}" "$@"
            """, to: "tool")
        let asked = try place.run("""
            chmod +x tool; mkdir bin; cp '\(Workplace.tools.path)/plan' bin; for t in augment initialize synthesize train-step; do cp tool bin/$t; done
            MAKEFLAGS=" -- RUNS=$PWD/runs NAME=a THREADS=2" bin/plan check --pipelines '\(Workplace.root)/pipelines' && cat asked
            """)
        try #require(asked.status == 0, "\(asked.error)")
        func words(_ command: some StringProtocol) -> [String] { String(command).split(separator: " ").map(String.init) }
        var given: Set<[String]> = []
        for name in ["pictures", "student.0", "student.1", "teacher.0", "teacher.1", "features.teacher.train", "features.teacher.test"] {
            let shown = try place.run(stage(place, name, "SHOW=1 THREADS=2")).output.split(separator: "\n").dropFirst().joined(separator: " ")
            given.formUnion(shown.split(separator: " | ").map { words($0) }.filter { $0.first != "embed" })
        }
        #expect(given.count == 2 + 3 * 2 + 1)
        #expect(Set(asked.output.split(separator: "\n").map { words($0) }) == given)
    }

    @Test func `clean removes nothing of a run that somebody works on`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a") + " EPOCHS=1").status == 0)
        let clean = "make --no-print-directory -C '\(Workplace.root)' clean BUILD=no RUNS=$PWD/runs"
        let busy = try place.run("touch runs/a/log/x.1.part; flock runs/a/lock \(clean)")
        #expect(busy.status == 0 && busy.error.contains("runs/a: a make is working on it; left unchanged") && place.hasUnfinished, "\(busy.error)")
        let idle = try place.run(clean)
        #expect(idle.status == 0 && idle.error.contains("removed \(place.path("runs/a/log/x.1.part"))") && !place.hasUnfinished, "\(idle.error)")
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
        let place = try Workplace.images()
        let none = try place.run(stage(place, "student.1", "SHOW=1 DATA=$PWD/pictures/train"))
        #expect(none.status == 2 && !place.exists("runs"), "\(none.error)")
        try #require(try place.run(place.make("a")).status == 0)
        let before = try place.text("runs/a/settings") + place.text("runs/a/options/student.train")
        let other = try place.run(stage(place, "student.1", "SHOW=1 STUDENT_OPTIONS='--learning-rate 0.7'"))
        #expect(other.status == 2 && other.error.contains("but other settings were given"), "\(other.error)")
        #expect(try place.text("runs/a/settings") + place.text("runs/a/options/student.train") == before)
    }

    @Test func `a stage done alone with other options does not pass for the run's`() throws {
        let place = try Workplace.images()
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

import Foundation
import TensorStreams
import TestSupport
import Testing

/// TEACHER_COMMAND: a program in place of the teacher's network.
struct TeacherProgramTests {
    private static let data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test"

    /// Drawn images, a network, and `teacher.sh`, which embeds with it once a file `go` exists.
    private func place() throws -> Workplace {
        let place = try Workplace.images()
        try place.run("initialize --network tiny-resnet10 --seed 3 --embedding 24 -q -o mine.safetensors")
        try place.write(#"cd "${0%/*}"; [ -n "$SEED_TEACHER_TRIAL" ] || [ -e go ] || exit 3; exec embed --weights "${2:-mine.safetensors}" -q"# + "\n", to: "teacher.sh")
        return place
    }

    /// The command of ``Workplace/make(_:_:)`` without EMBEDDING, with the teacher's command as a user types it.
    private func make(_ place: Workplace, _ name: String, _ command: String, _ more: String = "") -> String {
        place.make(name, "\(Self.data) TEACHER_COMMAND=\"\(command)\" \(more)").replacing("EMBEDDING=16 ", with: "")
    }

    @Test func `a program is the teacher in every stage, and its rows are its features and its embedding`() throws {
        let place = try place()
        let result = try place.run("touch go; " + make(place, "a", "sh $PWD/teacher.sh"))
        try #require(result.status == 0, "\(result.error)")
        #expect(result.error.contains("  teacher      the program 'sh \(place.path("teacher.sh"))', embeddings of 24 numbers"), "\(result.error)")
        #expect(result.output.contains("embedding 24-d") && result.output.contains("teacher: the rows of 'sh \(place.path("teacher.sh"))' are both its features and its embedding"), "\(result.output)")
        #expect(try place.contents("runs/a").filter { $0.hasPrefix("teacher") } == [])
        // The student equals the one that learns from the network itself, except for the line that names its teacher.
        try #require(try place.run(place.make("b", "\(Self.data) TEACHER=$PWD/mine.safetensors").replacing("EMBEDDING=16 ", with: "")).status == 0)
        let (mine, network) = (try DocumentFile.read(place.path("runs/a/student.2.safetensors")), try DocumentFile.read(place.path("runs/b/student.2.safetensors")))
        #expect(mine.tensors == network.tensors && mine.metadata["provenance"]?.contains("embed 0.1.0 --command 'sh teacher.sh'") == true)
        for part in ["train", "test"] {
            let (own, other) = (try place.read("runs/a/features/teacher.\(part).tensors.zst").records, try place.read("runs/b/features/teacher.\(part).tensors.zst").records)
            #expect(own.map(\.names).allSatisfy { $0 == ["embedding", "features", "index", "label"] } && own.count == other.count)
            for (own, other) in zip(own, other) { #expect(own.tensors["features"] == other.tensors["embedding"] && own.tensors["embedding"] == other.tensors["embedding"]) }
        }
        // A teacher of the other kind replaces it.
        let changed = try place.run(place.make("a", "TEACHER_COMMAND= TEACHER=$PWD/mine.safetensors").replacing("EMBEDDING=16 ", with: ""))
        #expect(changed.status == 0 && place.toDo(changed) == "student.1 … student.2, student, features, evaluation, table, report", "\(changed.error)")
        #expect(try DocumentFile.read(place.path("runs/a/student.2.safetensors")).tensors == network.tensors && place.exists("runs/a/teacher.safetensors"))
    }

    @Test func `a program that fails in a stage leaves nothing of it, and the run goes on to the same bytes`() throws {
        let place = try place()
        let failed = try place.run(make(place, "a", "sh $PWD/teacher.sh"))
        #expect(failed.status == 2 && failed.error.contains("embed: --command 'sh \(place.path("teacher.sh"))': ") && failed.error.contains("; the program ended with exit status 3; run it by hand"), "\(failed.error)")
        #expect(failed.error.contains("student.1 failed"))
        #expect(try place.contents("runs/a").filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".zst") || $0.hasSuffix(".part") } == ["student.0.safetensors"])
        let again = try place.run("touch go; make --no-print-directory -C '\(Workplace.root)' distill BUILD=no RUNS=$PWD/runs NAME=a")
        try #require(again.status == 0, "\(again.error)")
        try #require(try place.run(make(place, "b", "sh $PWD/teacher.sh")).status == 0)
        #expect(try place.results("a") == place.results("b"))
        // When all is done, the program is not even started; and a stage shows its command.
        let done = try place.run("mv teacher.sh aside; cp aside teacher.sh; rm go mine.safetensors; " + make(place, "a", "sh $PWD/teacher.sh"))
        #expect(done.status == 0 && place.toDo(done) == "nothing: all is done", "\(done.error)")
        for stage in ["student.1", "features.teacher.test"] {
            let shown = try place.run("make --no-print-directory -C '\(Workplace.root)' stage BUILD=no RUNS=$PWD/runs NAME=a STAGE=\(stage) SHOW=1")
            #expect(shown.status == 0 && shown.output.contains("--command=") && shown.output.contains("SEED_PROGRAM_FOLDER=\(Workplace.root)"), "\(shown.output)\(shown.error)")
        }
    }

    @Test func `a program is another when its command or a file that it names is another`() throws {
        let place = try place()
        let all = "student.1 … student.2, student, features, evaluation, table, report", nothing = "nothing: all is done"
        try place.run("touch go; cp mine.safetensors weights; initialize --network tiny-resnet10 --seed 4 --embedding 24 -q -o other; initialize --network tiny-resnet10 --embedding 8 -q -o narrow")
        let command = "sh $PWD/teacher.sh --weights $PWD/weights"
        try #require(try place.run(make(place, "a", command)).status == 0)
        for (change, command, expected) in [
            ("true", command, nothing), ("touch weights teacher.sh", command, nothing), ("cp other weights", command, all), ("echo '# more' >> teacher.sh", command, all),
            ("cp narrow weights", command, "student.0 … student.2, student, features, evaluation, table, report"), ("true", command + " --twice", all),
        ] {
            let checked = try place.run("\(change); \(make(place, "a", command).replacing(" distill ", with: " check "))")
            #expect(checked.status == 0 && place.toDo(checked) == expected, "\(change): \(checked.error)")
            let result = try place.run(make(place, "a", command))
            #expect(result.status == 0, "\(change): \(result.error)")
            #expect(try place.toDo(place.run(make(place, "a", command))) == nothing)
        }
        // A file that the command does not name is not examined.
        let unseen = try place.run("cp other mine.safetensors; \(make(place, "a", command + " --twice"))")
        #expect(unseen.status == 0 && place.toDo(unseen) == nothing, "\(unseen.error)")
    }

    @Test func `a file of the program that changes while a stage is at work is told, and the stage is not done`() throws {
        let place = try place()
        try place.write(#"cd "${0%/*}"; while [ -z "$SEED_TEACHER_TRIAL" ] && [ ! -e go ]; do touch waits; sleep 0.02; done; exec embed --weights mine.safetensors -q"# + "\n", to: "teacher.sh")
        let result = try place.run("""
            cp mine.safetensors named
            \(make(place, "a", "sh $PWD/teacher.sh $PWD/named")) & make=$!
            for i in {1..3000}; do [ -e waits ] && break; sleep 0.02; done
            echo more >> named; touch go; wait $make
            """)
        #expect(result.status == 2 && result.error.contains("/named: was changed while make was running, so student.1 does not count as done; run make again"), "\(result.error)")
        #expect(!place.exists("runs/a/done/student.1"))
        #expect(try place.run(make(place, "a", "sh $PWD/teacher.sh $PWD/named")).status == 0)
    }

    /// A log and a cache, one of which exists beforehand: neither makes the program a different teacher.
    @Test func `files that a program writes do not count as what it is, and those that it reads do`() throws {
        let place = try place()
        try place.write(#"cd "${0%/*}"; echo begins >> teacher.log; date +%N > cache; exec embed --weights "$2" -q"# + "\n", to: "teacher.sh")
        let command = "sh $PWD/teacher.sh --weights $PWD/weights --log=$PWD/teacher.log --cache $PWD/cache", nothing = "nothing: all is done"
        let first = try place.run("cp mine.safetensors weights; echo old > cache; \(make(place, "a", command))")
        try #require(first.status == 0, "\(first.error)")
        #expect(first.error.contains("  note         \(place.path("cache")) does not count as part of the program: it writes it, or was tried before it existed"), "\(first.error)")
        for change in ["true", "echo more >> teacher.log; echo more >> cache", "rm teacher.log cache"] {
            let again = try place.run("\(change); \(make(place, "a", command))")
            #expect(again.status == 0 && place.toDo(again) == nothing, "\(change): \(again.error)")
        }
        let other = try place.run("initialize --network tiny-resnet10 --seed 4 --embedding 24 -q -o weights; \(make(place, "a", command))")
        #expect(other.status == 0 && place.toDo(other) == "student.1 … student.2, student, features, evaluation, table, report", "\(other.error)")
        #expect(try place.toDo(place.run(make(place, "a", command))) == nothing)
        // With another command all files that it names count again, until the command has been tried.
        #expect(try place.run(make(place, "a", command + " --twice")).status == 0)
        #expect(try place.toDo(place.run(make(place, "a", command + " --twice"))) == nothing)
    }

    @Test func `a program that is known is not tried for a stage that does not use it, and once for the others`() throws {
        let place = try place()
        try place.write(#"cd "${0%/*}"; [ -z "$SEED_TEACHER_TRIAL" ] || echo tried >> trials; exec embed --weights mine.safetensors -q"# + "\n", to: "teacher.sh")
        let run = make(place, "a", "sh $PWD/teacher.sh")
        func trials(_ line: String) throws -> Int {
            let result = try place.run("rm -f trials; \(line)")
            #expect(result.status == 0, "\(line): \(result.error)")
            return try place.exists("trials") ? place.text("trials").split(separator: "\n").count : 0
        }
        func stage(_ name: String) -> String { "make --no-print-directory -C '\(Workplace.root)' stage BUILD=no RUNS=$PWD/runs NAME=a STAGE=\(name)" }
        #expect(try trials(run) == 1 && trials(run) == 0)
        // Part of the work is missing.
        try place.run("cd runs/a/done; rm student.2 table evaluation.teacher.* features.teacher.test")
        #expect(try trials(stage("student.2") + " SHOW=1") == 0 && trials(stage("features.student.0.test")) == 0 && trials(stage("student.2")) == 1 && trials(run) == 1)
    }

    @Test func `a stage ends with its tools, whatever its program leaves behind`() throws {
        let place = try place()
        try place.write(#"cd "${0%/*}"; sleep 600 > /dev/null & exec embed --weights mine.safetensors -q"# + "\n", to: "teacher.sh")
        let result = try place.run("timeout 300 " + make(place, "a", "sh $PWD/teacher.sh", "EPOCHS=1"))
        #expect(result.status == 0 && place.exists("runs/a/student.safetensors"), "\(result.error)")
        #expect(result.error.contains("make: student.1: one of its programs is still running; its output is no longer read"), "\(result.error)")
        #expect(try place.text("runs/a/log/student.1.log").contains("train-step: "))
    }

    @Test func `a program that gives no answer is stopped after the time that its setting says`() throws {
        let place = try place()
        let trial = try place.run(make(place, "a", "sleep 600", "TEACHER_TIMEOUT=1"))
        #expect(trial.status == 2 && trial.error.contains(", the limit of TEACHER_TIMEOUT=1, and was stopped") && !place.exists("runs"), "\(trial.error)")
        try place.write(#"cd "${0%/*}"; [ -n "$SEED_TEACHER_TRIAL" ] || exec sleep 600; exec embed --weights mine.safetensors -q"# + "\n", to: "teacher.sh")
        let stage = try place.run(make(place, "a", "sh $PWD/teacher.sh", "TEACHER_TIMEOUT=20"))
        #expect(stage.status == 2 && stage.error.contains("the limit of --command-timeout (of make distill TEACHER_TIMEOUT), and was stopped"), "\(stage.error)")
        let unused = try place.run(place.make("b", "\(Self.data) TEACHER_TIMEOUT=20").replacing(" distill ", with: " check "))
        #expect(unused.status == 0 && unused.error.contains("TEACHER_TIMEOUT has no effect without TEACHER_COMMAND"), "\(unused.error)")
    }

    @Test func `a program that is no teacher is told before anything is done`() throws {
        let place = try place()
        for (command, more, words) in [
            ("nothere-at-all -x", "", "TEACHER_COMMAND: 'nothere-at-all -x': there is no program 'nothere-at-all' in the folders of PATH"), ("./nothere", "", "/./nothere: No such file or directory"),
            ("cat |", "", "is not a valid shell command: "), ("cat", "", "TEACHER_COMMAND: --command 'cat': record 0: has no tensor 'teacher'; it has images, index, label; run it by hand on what augment writes"),
            ("true", "", "; the program ended with exit status 0"), ("exec 2> /dev/null; python3 nothere.py", "", "; the program ended with exit status 2"),
            ("embed --weights $PWD/mine.safetensors --as student -q 2> /dev/null", "", "has no tensor 'teacher'"), ("embed --weights $PWD/mine.safetensors --features --as teacher -q 2> /dev/null", "", "where 1 is expected; divide each row by its length"),
            ("embed --weights $PWD/mine.safetensors --drop index -q 2> /dev/null", "", "has no 'index', which must be passed on unchanged"),
            ("cat", "TEACHER=$PWD/mine.safetensors", "are two teachers; leave one of them out"), ("", "", "TEACHER_COMMAND is empty; name a program, or leave it out"),
            ("embed --weights $PWD/mine.safetensors -q", "EMBEDDING=16", "TEACHER_COMMAND: has embeddings of 24 numbers where EMBEDDING=16; leave out EMBEDDING"),
        ] {
            let result = try place.run(make(place, "a", command, more))
            #expect(result.status == 2 && result.error.contains(words) && result.lines.count == 2 && !place.exists("runs"), "\(command) \(more): \(result.error)")
        }
    }
}

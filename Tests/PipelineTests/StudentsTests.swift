import Foundation
import Platform
import TensorStreams
import TestSupport
import Testing

/// STUDENTS and STORE: one pass of the teacher for several students, and for several epochs.
struct StudentsTests {
    private static let data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test"
    private static let two = "STUDENTS='tiny-resnet10 tiny-resnet18'"

    /// The results of one student of a run, named as in a run of its own; for features only the numbers, because their
    /// provenance contains the file's name.
    private func results(_ place: Workplace, _ run: String, of student: String) throws -> [String: Data] {
        let all = try place.results(run)
        return Dictionary(uniqueKeysWithValues: try all.compactMap { name, bytes in
            let own = name.replacing("features/", with: "").replacing("evaluation/", with: "")
            guard own.hasPrefix(student + ".") else { return nil }
            return (name.replacing(student + ".", with: "student."), try content(name, bytes, place.path("runs/\(run)/\(name)"), of: student))
        })
    }

    private func content(_ name: String, _ bytes: Data, _ path: String, of student: String) throws -> Data {
        if name.hasPrefix("evaluation/") { return Data(String(decoding: bytes, as: UTF8.self).replacing(student + ".", with: "student.").utf8) }
        guard name.hasPrefix("features/") else { return bytes }
        let reader = try StreamReader(path)
        var numbers = Data()
        while let record = try reader.next() {
            for name in record.names { numbers += Data("\(name) \(record.tensors[name]?.summary ?? "")".utf8) + (record.tensors[name]?.withBytes { Data($0) } ?? Data()) }
        }
        return numbers
    }

    private func stages(_ result: Workplace.Result) -> [String] { result.lines.filter { $0.hasPrefix("== ") }.map { String($0.dropFirst(3)) } }

    @Test func `several students end in the bytes of runs of their own`() throws {
        let place = try Workplace.images()
        let both = try place.run(place.make("both", "\(Self.data) \(Self.two) EXPORT='onnx torch' KEEP=1"))
        try #require(both.status == 0, "\(both.error)")
        #expect(both.error.contains("  students     tiny-resnet10, tiny-resnet18, side by side, 2 epochs"), "\(both.error)")
        #expect(stages(both).filter { $0.contains("student") && !$0.contains(".student") } == ["student.0", "student-tiny-resnet18.0", "students.1", "students.2", "student", "student-tiny-resnet18"], "\(both.error)")
        for (name, student) in [("tiny-resnet10", "student"), ("tiny-resnet18", "student-tiny-resnet18")] {
            let alone = try place.run(place.make(name, "\(Self.data) STUDENT=\(name) EXPORT='onnx torch' KEEP=1"))
            try #require(alone.status == 0, "\(alone.error)")
            let expected = try results(place, name, of: "student"), found = try results(place, "both", of: student)
            #expect(expected.count == 3 + 2 * (2 + 3) && found == expected, "\(found.keys.sorted())")
            for kind in ["onnx", "pth"] { #expect(try place.bytes("runs/both/\(student).\(kind)") == place.bytes("runs/\(name)/student.\(kind)")) }
            #expect(both.output.contains("\(name) before ") && both.output.contains("\(name) after ") && both.output.contains("distillation, \(name) "), "\(both.output)")
        }
        #expect(try place.toDo(place.run(place.make("both", Self.two))) == "nothing: all is done")
        // A single stage belongs to one student.
        let before = try place.results("both"), stage = "make --no-print-directory -C '\(Workplace.root)' stage BUILD=no RUNS=$PWD/runs NAME=both STAGE=student-tiny-resnet18.1"
        let shown = try place.run("\(stage) SHOW=1")
        #expect(shown.status == 0 && !shown.output.contains("fan-out") && shown.output.contains("-o student-tiny-resnet18.1.safetensors"), "\(shown.output)\(shown.error)")
        let done = try place.run("\(stage) TAP=1; rm runs/both/student-tiny-resnet18.1.safetensors")
        #expect(done.status == 0 && place.exists("runs/both/tap/student-tiny-resnet18.1.2-embed.tensors.zst"), "\(done.error)")
        // If a file of one student is lost, only that student's is made again.
        try place.run("rm runs/both/student.2.safetensors")
        let mended = try place.run(place.make("both", Self.two))
        #expect(mended.status == 0 && place.toDo(mended) == "student.1 … student.2", "\(mended.error)")
        #expect(try place.results("both") == before)
    }

    @Test func `a student that is added learns what the others know already, then goes on with them`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a", Self.data)).status == 0)
        let before = try place.times("a")
        let added = try place.run(place.make("a", Self.two))
        #expect(added.status == 0 && place.toDo(added) == "student-tiny-resnet18.0 … student-tiny-resnet18.2, student-tiny-resnet18, features, evaluation, table, report", "\(added.error)")
        let after = try place.times("a")
        for (name, time) in before { #expect(after[name] == time, "\(name)") }
        let more = try place.run(place.make("a", "\(Self.two) EPOCHS=4"))
        #expect(more.status == 0 && stages(more).filter { $0.hasPrefix("students.") } == ["students.3", "students.4"], "\(more.error)")
        // Remove a student and add it again.
        let fewer = try place.run(place.make("a", "STUDENTS=tiny-resnet18 EPOCHS=4").replacing("STUDENT=tiny-resnet10 ", with: ""))
        #expect(fewer.status == 0 && place.toDo(fewer) == "table, report" && !fewer.output.contains("tiny-resnet10"), "\(fewer.error)\(fewer.output)")
        let again = try place.run(place.make("a", "\(Self.two) EPOCHS=4"))
        #expect(again.status == 0 && place.toDo(again) == "table, report", "\(again.error)")
    }

    @Test func `where one student's train-step is killed the others' epoch is done, and the run goes on to the same bytes`() throws {
        let place = try Workplace.images()
        try place.write("[ -z \"$SEED_LOSS_TRIAL\" ] || exec queue-loss -q; cd \"${0%/*}\"; until [ -e go ]; do sleep 0.02; done; exec queue-loss -q --queue-size 32\n", to: "hold.sh")
        let make = { (name: String) in place.make(name, #"\#(Self.data) \#(Self.two) STUDENT_OPTIONS="--loss 'sh $PWD/hold.sh'""#) }
        let run = try place.start(make("a"))
        var victim: pid_t?
        #expect(waitUntil {
            victim = run.members(named: "train-step").first { id in
                String(decoding: FileManager.default.contents(atPath: "/proc/\(id)/cmdline") ?? Data(), as: UTF8.self).contains("student-tiny-resnet18.1.safetensors")
            }
            return victim != nil || run.isOver
        })
        kill(try #require(victim), SIGKILL)
        try place.write("", to: "go")
        #expect(run.wait() == 2)
        #expect(place.exists("runs/a/done/student.1") && place.exists("runs/a/student.1.safetensors") && !place.exists("runs/a/done/student-tiny-resnet18.1"))
        #expect(try place.text("runs/a/log/students.1.log").contains("-o student-tiny-resnet18.1.safetensors': was killed by signal 9"))
        let next = try place.run(make("a"))
        #expect(next.status == 0 && stages(next).filter { $0.hasPrefix("student") }.prefix(2) == ["student-tiny-resnet18.1", "students.2"], "\(next.error)")
        try #require(try place.run(make("b")).status == 0)
        #expect(try place.results("a") == place.results("b"))
    }

    @Test func `with several students and stored rows, whatever is killed and whenever, make goes on to the same bytes`() throws {
        let place = try Workplace.images()
        let settings = "\(Self.data) \(Self.two) STORE=2 EPOCHS=4 BATCH=4 TEACHER_BATCH=4"
        try #require(try place.run(place.make("calm", settings)).status == 0)
        let expected = try place.results("calm")
        var hits = Tally(), resumed = 0
        let victims = ["train-step", "fan-out", "embed", "augment", "plan", "make", "everything"]
        let rounds = Effort.rounds(28, long: 300)
        for round in 0..<5 * rounds where round < rounds || resumed == 0 {
            let victim = victims[round % victims.count]
            var random = Effort.random("students", round: round)
            let run = try place.start(place.make("disturbed", "\(settings) CHECKPOINT_EVERY=\(1 + round % 3)"))
            usleep(UInt32.random(in: 0..<600_000, using: &random))
            if victim == "everything" {
                if !run.isOver { hits.add(victim) }
                run.end()
            } else {
                if victim == "train-step" { _ = waitUntil(seconds: 60) { run.isOver || place.hasInterim("disturbed") } }
                let targets = run.waitForMembers(named: victim, seconds: 60)
                usleep(UInt32.random(in: 0..<1 << UInt32.random(in: 4...16, using: &random), using: &random))
                // One of several, as a user or the out-of-memory killer would kill it.
                if let target = targets.randomElement(using: &random), ProcessState.isAlive(target), kill(target, SIGKILL) == 0 { hits.add(victim) }
            }
            let status = run.wait()
            if try place.text(".error").contains("resumes after batch") { resumed += 1 }
            for (name, bytes) in try place.results("disturbed") { #expect(expected[name] == bytes, "\(victim), \(Effort.place(round)): \(name)") }
            if status == 0 { try place.run("rm -r runs/disturbed") }
        }
        #expect(["train-step", "fan-out", "everything"].allSatisfy { hits[$0] > 0 }, "\(hits)")
        #expect(resumed > 0)
        Effort.report("kills in make distill of several students: \(hits); \(resumed) went on in the middle of an epoch")
        let result = try place.run(place.make("disturbed", settings))
        #expect(result.status == 0, "\(result.error)")
        #expect(try place.results("disturbed") == expected && !place.hasUnfinished)
    }

    @Test func `stored rows of all epochs give the students that no store gives, and their views come again after fewer`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("plain", "\(Self.data) EPOCHS=3")).status == 0)
        let plain = try place.results("plain")
        let all = try place.run(place.make("all", "\(Self.data) EPOCHS=3 STORE=3"))
        #expect(all.status == 0 && all.error.contains("  store        the teacher's embeddings of 3 epochs, about ") && all.error.contains("STORE=3 keeps the embeddings of all 3 epochs"), "\(all.error)")
        #expect(try place.results("all").filter { !$0.key.hasPrefix("store/") } == plain)
        // For a run without a store, the epochs before the first repetition are kept.
        let fewer = try place.run(place.make("plain", "\(Self.data) EPOCHS=3 STORE=2"))
        #expect(fewer.status == 0 && place.toDo(fewer) == "store.1, student.3, student, features, evaluation, table, report", "\(fewer.error)")
        #expect(fewer.error.contains("epoch 3 repeats the views of the first"), "\(fewer.error)")
        let repeated = try place.results("plain")
        #expect(repeated["student.2.safetensors"] == plain["student.2.safetensors"] && repeated["student.3.safetensors"] != plain["student.3.safetensors"])
        // The same by hand, without a store.
        let byHand = try place.run("""
            cd runs/plain; o=options
            augment --data data/train @$o/student.augment --epoch 2 --repeat 2 -q | embed @$o/teacher.embed @$o/teacher.rows -q |
              train-step - @$o/student.train --epochs 3 --student student.2.safetensors -q -o ../../mine.safetensors
            """)
        #expect(byHand.status == 0, "\(byHand.error)")
        #expect(try place.bytes("mine.safetensors") == repeated["student.3.safetensors"])
        // Another student with the same views needs no teacher; another teacher needs other rows.
        let other = try place.run(place.make("all", "\(Self.data) EPOCHS=3 STORE=3 \(Self.two)"))
        #expect(other.status == 0 && !stages(other).contains { $0.hasPrefix("store") } && stages(other).contains("student-tiny-resnet18.3"), "\(other.error)")
        let taught = try place.run(place.make("all", "\(Self.data) EPOCHS=3 STORE=3 TEACHER_OPTIONS='--schedule constant'"))
        #expect(taught.status == 0 && stages(taught).filter { $0.hasPrefix("store") || $0.hasPrefix("students") } == ["store.1", "students.1", "store.2", "students.2", "store.3", "students.3"], "\(taught.error)")
        let half = try place.run(place.make("all", "\(Self.data) EPOCHS=3 STORE=3 STORE_HALF=1"))
        #expect(half.status == 0 && half.error.contains(" in half precision") && stages(half).contains("store.3") && stages(half).contains("students.1"), "\(half.error)")
        // A damaged file of rows is made again when it is needed.
        let damaged = try place.run("truncate -s 700 runs/all/store/teacher.1.tensors.zst; \(place.make("all", "\(Self.data) EPOCHS=4 STORE=3"))")
        #expect(damaged.status == 0 && damaged.error.contains("store/teacher.1.tensors.zst is not as store.1 made it") && stages(damaged).contains("store.1"), "\(damaged.error)")
    }

    @Test func `students and stores that cannot be are refused before anything is done`() throws {
        let place = try Workplace.images()
        try place.write("", to: "pictures.weights")
        for (settings, words) in [
            ("STUDENTS='tiny-resnet10 tiny-resnet10'", "STUDENTS=tiny-resnet10 tiny-resnet10: tiny-resnet10 is listed twice; name it once"),
            ("STUDENTS='tiny-resnet10 tiny-resnet19'", "did you mean tiny-resnet10?"), ("STUDENTS=tiny-resnet18", "STUDENT=tiny-resnet10 is not among STUDENTS=tiny-resnet18"),
            ("STORE=0", "STORE=0: a whole number from 1 to 100000 is expected"), ("STORE=2 METHOD=moco-v2 TEACHER_NETWORK=", "there is none of that name"), ("STORE_HALF=2", "STORE_HALF=2: 1 is expected"),
            ("\(Self.two) FROM=$PWD/pictures.weights", "STUDENTS=tiny-resnet10 tiny-resnet18: FROM=\(place.path("pictures.weights")) is one network"),
        ] {
            let result = try place.run(place.make("a", "\(Self.data) \(settings)"))
            #expect(result.status == 2 && result.error.contains(words), "\(settings): \(result.error)")
        }
        let useless = try place.run(place.make("a", "\(Self.data) METHOD=moco-v2 STORE=2"))
        #expect(useless.status == 2 && useless.error.contains("STORE=2 does not apply to METHOD=moco-v2, which learns without a teacher"), "\(useless.error)")
        #expect(!place.exists("runs"))
        let check = try place.run(place.make("a", "\(Self.data) STORE_HALF=1").replacing(" distill ", with: " check "))
        #expect(check.status == 0 && check.error.contains("STORE_HALF has no effect without STORE"), "\(check.error)")
        let parts = try place.run(place.make("a", "\(Self.data) STORE=2 STEPS=2 EPOCHS=9").replacing(" distill ", with: " check "))
        #expect(parts.status == 0 && parts.error.contains("STORE=2 epochs of STEPS=2 hold 64 of the 96 images, and later epochs see no others; STORE=3 holds all"), "\(parts.error)")
    }

    @Test func `a method without a teacher trains several networks on one stream of images`() throws {
        let place = try Workplace.images()
        let result = try place.run(place.make("a", "\(Self.data) \(Self.two) METHOD=moco-v2 STUDENT_OPTIONS='--schedule constant'"))
        try #require(result.status == 0, "\(result.error)")
        #expect(stages(result).contains("students.2") && result.output.contains("training, tiny-resnet18"), "\(result.output)")
    }
}

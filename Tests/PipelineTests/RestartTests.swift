import Foundation
import Platform
import Testing
import TestSupport

struct RestartTests {
    @Test func `whatever is killed and whenever, make goes on to the same bytes`() throws {
        let place = try Workplace.images()
        // Epochs of 24 steps, so that a kill may hit the middle of one.
        let settings = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test EPOCHS=4 BATCH=4 TEACHER_BATCH=4"
        try #require(try place.run(place.make("calm", settings)).status == 0)
        let expected = try place.results("calm")
        #expect(expected.count == 2 + 5 + 1 + 6 + 9)

        var hits = Tally(), resumed = 0
        let victims = ["train-step", "augment", "embed", "make", "everything"]
        let rounds = Effort.rounds(30, long: 400)
        // Continue if one victim has always escaped, or no epoch was interrupted in its middle.
        for round in 0..<5 * rounds where round < rounds || resumed == 0 || victims.contains(where: { hits[$0] == 0 }) {
            let victim = victims[round % victims.count]
            var random = Effort.random("kills", round: round)
            // Saved after every batch, every second, every third, or never.
            let run = try place.start(place.make("disturbed", "\(settings) CHECKPOINT_EVERY=\(round % 4 == 3 ? "" : "\(round % 4 + 1)")"))
            // Some moment of the whole run, or of the victim's work; it may also miss the victim's end.
            usleep(UInt32.random(in: 0..<400_000, using: &random))
            if victim == "everything" {
                if !run.isOver { hits.add(victim) }
                run.end()
            } else {
                // Every second kill of train-step comes once a checkpoint is saved.
                if victim == "train-step", round % 2 == 0 { _ = waitUntil(seconds: 60) { run.isOver || place.hasInterim("disturbed") } }
                let targets = run.waitForMembers(named: victim, seconds: 60)
                usleep(UInt32.random(in: 0..<1 << UInt32.random(in: 4...16, using: &random), using: &random))
                for target in targets where ProcessState.isAlive(target) && kill(target, SIGKILL) == 0 { hits.add(victim) }
            }
            // The next make ends the processes left behind if only make was killed.
            let status = run.wait()
            if try place.text(".error").contains("resumes after batch") { resumed += 1 }
            for (name, bytes) in try place.results("disturbed") { #expect(expected[name] == bytes, "\(victim), \(Effort.place(round)): \(name)") }
            if status == 0 { try place.run("rm -r runs/disturbed") }
        }
        #expect(victims.allSatisfy { hits[$0] > 0 }, "\(hits)")
        #expect(resumed > 0)
        Effort.report("kills in make distill: \(hits); \(resumed) went on in the middle of an epoch")
        let result = try place.run(place.make("disturbed", settings))
        #expect(result.status == 0 && result.output.contains("student after"), "\(result.error)")
        let found = try place.results("disturbed")
        #expect(found.keys.sorted() == expected.keys.sorted())
        for (name, bytes) in expected { #expect(found[name] == bytes, "\(name)") }
        #expect(!place.hasInterim("disturbed"))
    }

    @Test func `make status tells how much of an epoch is saved, and other options begin it anew`() throws {
        let place = try Workplace.images()
        let settings = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test BATCH=2 TEACHER_BATCH=16 CHECKPOINT_EVERY=1"
        // The kill may come after the epoch.
        let isCaught = try (0..<20).contains { _ in
            try place.perform("rm -rf runs")
            let run = try place.start(place.make("a", settings))
            _ = waitUntil(seconds: 60) { place.exists("runs/a/student.1.interim.safetensors") || run.isOver }
            run.end()
            _ = run.wait()
            return place.exists("runs/a/student.1.interim.safetensors") && !place.exists("runs/a/student.1.safetensors")
        }
        try #require(isCaught)
        let status = try place.run("make --no-print-directory -C '\(Workplace.root)' status BUILD=no RUNS=$PWD/runs")
        #expect(status.output.contains("stopped in student.1, ") && status.output.contains(" % of it saved"), "\(status.output)")
        // A checkpoint that no longer belongs to the epoch is not resumed.
        let other = try place.run(place.make("a", "\(settings) STUDENT_OPTIONS='--schedule smooth --learning-rate 0.05'"))
        #expect(other.status == 0 && !other.error.contains("resumes after"), "\(other.error)")
        #expect(!place.hasInterim("a"))
        for (every, words) in [("0", "CHECKPOINT_EVERY=0: a number of batches is expected, or of minutes as 10m, seconds as 30s"), ("5h", "CHECKPOINT_EVERY=5h: "), ("m", "CHECKPOINT_EVERY=m: "), ("-1", "CHECKPOINT_EVERY=-1: ")] {
            let wrong = try place.run(place.make("b", "\(settings) CHECKPOINT_EVERY=\(every)"))
            #expect(wrong.status == 2 && wrong.error.contains(words), "\(wrong.error)")
        }
    }

    @Test(arguments: ["", "STUDENTS='tiny-resnet10 tiny-resnet18'", "STUDENT_OPTIONS='--schedule smooth --learning-rate 0.1 --loss \"queue-loss -q --queue-size 32\"'"])
    func `a scheduler's SIGTERM to all of a run saves the epoch under way, and make waits for that`(option: String) throws {
        let place = try Workplace.images()
        let settings = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test BATCH=2 TEACHER_BATCH=16 CHECKPOINT_EVERY= \(option)"
        try #require(try place.run(place.make("calm", settings)).status == 0)
        let isCaught = try (0..<20).contains { _ in try place.isStoppedInEpoch("a", settings) }
        try #require(isCaught)
        let said = try place.text(".error")
        #expect(said.contains("student.1.interim.safetensors: stopped on request after batch "), "\(said)")
        let result = try place.run(place.make("a", settings))
        #expect(result.status == 0 && result.error.contains("resumes after batch ") && !result.error.contains("left behind"), "\(result.error)")
        let (found, expected) = (try place.results("a"), try place.results("calm"))
        for (name, bytes) in expected {
            let same = found[name] == bytes
            #expect(same, "\(name)")
        }
    }

    @Test func `results do not depend on the number of threads`() throws {
        let place = try Workplace.images()
        for threads in 1...2 {
            let settings = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test THREADS=\(threads)"
            try #require(try place.run(place.make("threads\(threads)", settings)).status == 0)
        }
        let one = try place.results("threads1"), two = try place.results("threads2")
        #expect(one.keys == two.keys)
        for (name, bytes) in one { #expect(two[name] == bytes, "\(name)") }
    }

    @Test func `what is up to date is not made again, and more epochs go on where the last one ended`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a")).status == 0)
        let before = try place.times("a")
        try #require(try place.run(place.make("a")).status == 0)
        #expect(try place.times("a") == before)
        let more = try place.run(place.make("a", "EPOCHS=3"))
        try #require(more.status == 0, "\(more.error)")
        let after = try place.times("a")
        for (name, time) in before where name != "student.safetensors" { #expect(after[name] == time, "\(name)") }
        #expect(after.keys.contains("student.3.safetensors") && after["student.safetensors"] != before["student.safetensors"])
        #expect(more.output.contains("student.3.safetensors"))
        // A deleted checkpoint that is no longer needed is not made again.
        try place.run("rm runs/a/student.1.safetensors")
        let result = try place.run(place.make("a", "EPOCHS=3"))
        #expect(result.status == 0 && !place.exists("runs/a/student.1.safetensors"))
    }

    @Test func `a changed option redoes what depends on it and nothing else`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a")).status == 0)
        let before = try place.times("a"), bytes = try place.results("a")
        try place.run("cp runs/a/settings kept")
        try #require(try place.run(place.make("a", "STUDENT_OPTIONS='--schedule smooth --learning-rate 0.05'")).status == 0)
        let after = try place.times("a")
        let changed = Set(before.keys.filter { before[$0] != after[$0] })
        #expect(changed == [
            "student.1.safetensors", "student.2.safetensors", "student.safetensors", "features/student.2.train.tensors.zst",
            "features/student.2.test.tensors.zst", "evaluation/student.2.knn.json", "evaluation/student.2.linear.json", "evaluation/student.2.embedding.json",
        ])
        #expect(try place.results("a")["student.2.safetensors"] != bytes["student.2.safetensors"])
        // And back: the old option gives the old bytes.
        let old = try place.text("runs/a/settings").split(separator: "\n")
        #expect(old.contains("STUDENT_OPTIONS=--schedule smooth --learning-rate 0.05"))
        try #require(try place.run("mv kept runs/a/settings; " + place.make("a")).status == 0)
        #expect(try place.results("a") == bytes)
        try #require(try place.run(place.make("a", "TEACHER_OPTIONS='--schedule constant'")).status == 0)
        let later = try place.times("a")
        #expect(later["teacher.0.safetensors"] == before["teacher.0.safetensors"] && later["teacher.1.safetensors"] != before["teacher.1.safetensors"])
        #expect(later["student.0.safetensors"] == before["student.0.safetensors"] && later["student.1.safetensors"] != after["student.1.safetensors"])
    }
}

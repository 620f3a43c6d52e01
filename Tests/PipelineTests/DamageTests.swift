import Foundation
import Platform
import Testing
import TestSupport

/// Runs after power cuts, kills and interference by other makes.
struct DamageTests {
    @Test func `a checkpoint that was cut or changed is told, set aside and made again from the one before`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a") + " EPOCHS=3").status == 0)
        let expected = try place.results("a")
        for (file, damage, todo) in [
            ("student.3.safetensors", "truncate -s 3000", "student.3"),
            ("student.3.safetensors", "truncate -s 0", "student.3"),
            ("student.safetensors", "truncate -s 100", "student"),
            // A flipped byte in the middle, with the old timestamp.
            ("student.3.safetensors", "f() { touch -r $1 time; printf '\\377' | dd of=$1 bs=1 seek=100001 conv=notrunc status=none; touch -r time $1; }; f", "student.3"),
            ("table.txt", "truncate -s 10", "table"), ("report.html", "truncate -s 10", "report"),
        ] {
            let result = try place.run("\(damage) runs/a/\(file); \(place.make("a") + " EPOCHS=3")")
            #expect(result.status == 0 && result.error.contains("\(file) is not as \(todo) made it and will be set aside as \(file).damaged"), "\(file): \(result.error)")
            #expect(place.toDo(result) == todo && place.exists("runs/a/\(file).damaged"), "\(result.error)")
            try place.run("rm runs/a/*.damaged")
            #expect(try place.results("a") == expected)
        }
        // A file that is no longer needed is also set aside, but not made again.
        let old = try place.run("truncate -s 3000 runs/a/student.1.safetensors; \(place.make("a") + " EPOCHS=3")")
        #expect(old.status == 0 && old.error.contains("student.1.safetensors is not as student.1 made it") && place.toDo(old) == "nothing: all is done")
        // If it is needed again, it is made from the epoch before it.
        let needed = try place.run("rm runs/a/student.[23].safetensors; \(place.make("a") + " EPOCHS=3")")
        #expect(needed.status == 0 && place.toDo(needed) == "student.1 … student.3", "\(needed.error)")
        #expect(try place.results("a").filter { !$0.key.hasSuffix(".damaged") } == expected)
    }

    @Test func `records and logs that a power cut has left empty or in part are made again or done without`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a")).status == 0)
        let expected = try place.results("a")
        for name in ["done/student.2", "done/table", "done/features.teacher.test", "done/evaluation.student.2.knn", "done/student.0"] {
            for length in [0, 30] {
                let result = try place.run("truncate -s \(length) runs/a/\(name); \(place.make("a"))")
                #expect(result.status == 0 && result.output.contains("student after"), "\(name): \(result.error)")
                #expect(try place.results("a") == expected)
                #expect(try place.toDo(place.run(place.make("a"))) == "nothing: all is done")
            }
        }
        // Without its log an epoch has no time; the table is made nevertheless.
        let result = try place.run("truncate -s 0 runs/a/log/student.1.jsonl; truncate -s 30 runs/a/log/student.2.jsonl; rm runs/a/done/table; \(place.make("a"))")
        #expect(result.status == 0 && result.output.contains("student.2.jsonl has no timings"), "\(result.error)")
        for name in ["stages", "options/student.train", "data/hashes", "data/identity"] {
            let result = try place.run("truncate -s 20 runs/a/\(name); \(place.make("a"))")
            #expect(result.status == 0 && place.toDo(result) == "nothing: all is done", "\(name): \(result.error)")
        }
        #expect(try place.results("a") == expected)
    }

    @Test func `a record that somebody else wrote moves no file`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a")).status == 0)
        try place.write("precious", to: "precious")
        let record = try place.text("runs/a/done/student.0")
        for name in ["../../precious", "student.1.safetensors", place.path("precious"), "x/../../../precious"] {
            let lines = record.split(separator: "\n").map { $0.hasPrefix("file ") ? "file 0 0 0 0 0 \(name)" : String($0) }
            try place.write(lines.joined(separator: "\n") + "\n", to: "runs/a/done/student.0")
            let result = try place.run(place.make("a"))
            #expect(result.status == 0 && place.exists("precious"), "\(result.error)")
        }
        #expect(try !place.contents(".").contains { $0.hasSuffix(".damaged") })
    }

    @Test func `KEEP given later removes what it does not keep, and images put among the drawn are refused`() throws {
        let place = try Workplace()
        let make = place.make("a", "EPOCHS=4 SYNTHESIZE_OPTIONS='--classes 4 --train 96 --test 32 --size 24'")
        try #require(try place.run(make).status == 0)
        let result = try place.run(make + " KEEP=2")
        #expect(result.status == 0 && place.toDo(result) == "nothing: all is done", "\(result.error)")
        #expect(try place.contents("runs/a").filter { $0.hasPrefix("student.") } == ["student.0.safetensors", "student.3.safetensors", "student.4.safetensors", "student.safetensors"])
        // A link is read as its target.
        for (command, name) in [("cp $PWD/runs/a/pictures/test/test-000.tar", "more.tar"), ("ln -s ../test/test-000.tar", "zmore.tar"), ("ln -s ../test", "folder")] {
            let refused = try place.run("\(command) runs/a/pictures/train/\(name); \(make)")
            #expect(refused.status == 2 && refused.error.contains("pictures/train/\(name): is not part of the drawn set; move it away"), "\(refused.error)")
            try place.run("rm runs/a/pictures/train/\(name)")
        }
    }

    @Test func `what a killed make has left at work is ended by the next`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("b", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test EPOCHS=3")).status == 0)
        let rounds = Effort.rounds(4, long: 40)
        var ended = 0
        for round in 0..<rounds {
            // A loss that never answers stands for an epoch of hours.
            try place.write("[ -z \"$SEED_LOSS_TRIAL\" ] || exec queue-loss -q; exec tail -f /dev/null\n", to: "stuck.sh")
            let stuck = try place.start(place.make("a\(round)", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test STUDENT_OPTIONS=\"--loss 'sh $PWD/stuck.sh'\""))
            try #require(!stuck.waitForMembers(named: "tail", seconds: 300).isEmpty)
            let steps = stuck.members(named: "train-step")
            for make in stuck.members(named: "make") { kill(make, SIGKILL) }
            // The next make checks who holds the lock; the killed makes must not be counted.
            try #require(waitUntil { stuck.members(named: "make").isEmpty })
            let settings = "EPOCHS=3 STUDENT_OPTIONS='\(try place.option("b", "STUDENT_OPTIONS"))'"
            let next = try place.run(place.make("a\(round)", settings))
            #expect(next.status == 0 && next.error.contains("left behind by a make that was killed"), "\(next.error)")
            #expect(steps.count == 1, "round \(round)")
            ended += steps.count { !ProcessState.isAlive($0) }
            #expect(try place.results("a\(round)") == place.results("b"), "round \(round)")
            stuck.end()
            _ = stuck.wait()
            try place.run("rm -r runs/a\(round)")
        }
        #expect(ended == rounds)
        Effort.report("\(rounds) kills of make alone, over a loss that never answers")
    }

    @Test func `a folder that cannot be written is one line`() throws {
        let place = try Workplace.images()
        try place.write("a file", to: "runs/a")
        let result = try place.run(place.make("a"))
        let told = result.lines.filter { $0.hasPrefix("plan: ") }
        #expect(result.status == 2 && told.count == 1 && told[0].contains("runs/a: is a file, where a folder is needed"), "\(result.error)")
        try place.run("rm -r runs; mkdir elsewhere")
        let nowhere = try place.run(place.make("a").replacing("RUNS=$PWD/runs", with: "RUNS=/proc/runs"))
        let nothing = nowhere.lines.filter { $0.hasPrefix("plan: ") }
        #expect(nowhere.status == 2 && nothing.count == 1 && nothing[0].hasPrefix("plan: /proc/runs: cannot create the folder"), "\(nowhere.error)")
    }

    @Test(arguments: ["clean", "make"]) func `clean removes the unfinished files of tools, a new make does too, and neither any of other names`(way: String) throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a") + " EPOCHS=1").status == 0)
        let own = ["student.2.safetensors.4711.part", "features/x.1.part", "done/table.4711.2.part"]
        let others = ["film.mkv.part", "4711.part", "log/x.12b.part", "log/.12.part"]
        let clean = "make --no-print-directory -C '\(Workplace.root)' clean BUILD=no RUNS=$PWD/runs"
        let result = try place.run("cd runs/a; touch \((own + others).joined(separator: " ")); cd ../..; \(way == "clean" ? clean : place.make("a") + " EPOCHS=1")")
        #expect(result.status == 0, "\(result.error)")
        #expect(own.allSatisfy { !place.exists("runs/a/\($0)") } && others.allSatisfy { place.exists("runs/a/\($0)") }, "\(result.error)")
        #expect(way != "clean" || own.allSatisfy { result.error.contains("removed \(place.path("runs/a/\($0)"))") }, "\(result.error)")
    }

    @Test func `clean leaves folders alone that are no runs`() throws {
        let place = try Workplace()
        let result = try place.run("mkdir -p home/downloads/log; touch home/downloads/film.1.part home/downloads/log/x.1.part; make --no-print-directory -C '\(Workplace.root)' clean BUILD=no RUNS=$PWD/home")
        #expect(result.status == 0 && result.error.isEmpty, "\(result.error)")
        #expect(try place.contents("home") == ["downloads", "downloads/film.1.part", "downloads/log", "downloads/log/x.1.part"])
    }

    @Test func `a drawn image that was damaged is set aside outside the images, and they are drawn again`() throws {
        let place = try Workplace()
        let make = place.make("a", "SYNTHESIZE_OPTIONS='--classes 4 --train 96 --test 32 --size 24'")
        try #require(try place.run(make + " EPOCHS=1").status == 0)
        let drawn = try place.contents("runs/a/pictures"), bytes = try place.bytes("runs/a/pictures/train/train-000.tar")
        // Another epoch reads the images.
        let result = try place.run("truncate -s 3000 runs/a/pictures/train/train-000.tar; \(make)")
        #expect(result.status == 0 && result.error.contains("pictures/train/train-000.tar is not as pictures made it and will be set aside as train-000.tar.damaged"), "\(result.error)")
        #expect(try place.bytes("runs/a/train-000.tar.damaged").count == 3000 && place.bytes("runs/a/pictures/train/train-000.tar") == bytes)
        #expect(try place.contents("runs/a/pictures") == drawn && place.toDo(result) == "pictures, student.2, student, features, evaluation, table, report", "\(result.error)")
        #expect(try place.toDo(place.run(make)) == "nothing: all is done")
    }

    @Test func `what was set aside before stays`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a") + " EPOCHS=1").status == 0)
        for (size, name) in [(1000, "table.txt.damaged"), (1001, "table.txt.damaged.2"), (1002, "table.txt.damaged.3")] {
            let result = try place.run("truncate -s \(size) runs/a/table.txt; \(place.make("a") + " EPOCHS=1")")
            #expect(result.status == 0 && result.error.contains("table.txt is not as table made it and will be set aside as \(name)\n"), "\(result.error)")
        }
        #expect(try ["", ".2", ".3"].map { try place.bytes("runs/a/table.txt.damaged\($0)").count } == [1000, 1001, 1002])
    }
}

extension Workplace {
    /// A setting as the run has stored it.
    fileprivate func option(_ run: String, _ name: String) throws -> String {
        try text("runs/\(run)/settings").split(separator: "\n").first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) } ?? ""
    }
}

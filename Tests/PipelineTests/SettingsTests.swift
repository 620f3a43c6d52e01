import Foundation
import TensorStreams
import TestSupport
import Testing

struct SettingsTests {
    @Test func `a run that failed remembers its settings, quotes and all`() throws {
        let place = try Workplace.images()
        // As a user types it: without --no-print-directory, whose `n` is not the option -n.
        let make = place.make("a", #"DATA=$PWD/pictures/train TEST=$PWD/pictures/test STUDENT_OPTIONS="--loss 'queue-loss -q --queue-size 24'""#)
            .replacing("--no-print-directory ", with: "")
        let failed = try place.run("mkdir -p runs/a/student.1.safetensors; \(make)")
        #expect(failed.status == 2 && failed.error.contains("is a folder"), "\(failed.error)")
        #expect(failed.error.contains("QUEUE has no effect: the program that --loss names has a queue of its own"))
        let again = try place.run("rmdir runs/a/student.1.safetensors; make -C '\(Workplace.root)' distill BUILD=no RUNS=$PWD/runs NAME=a")
        #expect(again.status == 0 && again.output.contains("student after"), "\(again.error)")
        #expect(try place.text("runs/a/settings").contains("STUDENT_OPTIONS=--loss 'queue-loss -q --queue-size 24'\n"))
        #expect(try place.text("runs/a/log/student.2.jsonl").contains(#""uniform_loss":3.2188"#))  // ln 25
    }

    @Test(arguments: ["make -n", "check"]) func `what a changed option would redo is told without a change`(way: String) throws {
        let place = try Workplace.images()
        let tell = { (settings: String) in
            let command = place.make("a") + " " + settings
            return way == "check" ? command.replacing(" distill ", with: " check ") : command.replacing("make ", with: "make -n ", maxReplacements: 1)
        }
        let none = try place.run(tell(""))
        #expect(none.status == 0 && none.error.contains("student.1 … student.2") && !place.exists("runs"), "\(none.error)")
        try #require(try place.run(place.make("a")).status == 0)
        let before = try place.contents("runs")
        let options = try place.text("runs/a/options/student.train")
        let told = try place.run(tell("STUDENT_OPTIONS='--learning-rate 0.02'"))
        #expect(told.status == 0 && place.toDo(told) == "student.1 … student.2, student, features, evaluation, table, report", "\(told.error)")
        #expect(try place.contents("runs") == before && place.text("runs/a/options/student.train") == options)
        // Remove options again, with an empty value, for the default.
        try place.perform("sed -i 's/^STUDENT_OPTIONS=.*/STUDENT_OPTIONS=--learning-rate 0.02/' runs/a/settings")
        let given = try place.run(tell("")), left = try place.run(tell("STUDENT_OPTIONS="))
        #expect(given.status == 0 && place.toDo(given) == "student.1 … student.2, student, features, evaluation, table, report", "\(given.error)")
        #expect(left.status == 0 && place.toDo(left) == "nothing: all is done", "\(left.error)")
    }

    @Test func `a run named by its data gives way to no other data of that name, but to the same data elsewhere`() throws {
        let place = try Workplace.images()
        try place.run("mkdir other same; cp -r pictures/train same; cp -r pictures/test other/train")
        let make = { (data: String) in place.make("NAME", "DATA=$PWD/\(data)/train TEST=$PWD/pictures/test EPOCHS=1").replacing("NAME=NAME ", with: "") }
        try #require(try place.run(make("pictures")).status == 0)
        let before = try place.results("train")
        let refused = try place.run(make("other"))
        #expect(refused.status == 2 && refused.error.contains("runs/train is a run on") && refused.error.contains("NAME=train to replace it"), "\(refused.error)")
        #expect(try place.results("train") == before)
        let moved = try place.run(make("same"))
        #expect(moved.status == 0 && place.toDo(moved) == "nothing: all is done", "\(moved.error)")
        #expect(try place.run(make("other") + " NAME=train").status == 0)
        #expect(try place.text("runs/train/settings").contains("other/train"))
        #expect(try place.results("train")["student.1.safetensors"] != before["student.1.safetensors"])
    }

    @Test func `the table has the k-NN of features and of embeddings`() throws {
        let place = try Workplace.images()
        let result = try place.run(place.make("a"))
        let lines = result.output.split(separator: "\n")
        #expect(lines.contains { $0.split(separator: " ").joined(separator: " ") == "k-NN top-1 (k=10) embedding k-NN linear top-1" }, "\(result.output)")
        #expect(lines.contains("k-NN: k=10, cosine, majority, 96 train, 32 test, features 128-d"))
        #expect(lines.contains("embedding k-NN: k=10, cosine, majority, 96 train, 32 test, embedding 16-d"))
        let student = try place.read("runs/a/features/student.2.test.tensors.zst").records
        #expect(try student.first?.tensor("embedding", .f32, shape: [32, 16]) != nil)
    }

    @Test func `what cannot work is said before anything is done`() throws {
        let place = try Workplace.images()
        try place.run("""
            mkdir empty flat one; cp pictures/train/train-000.tar cut.tar; truncate -s 5000 cut.tar; echo text > text.tar
            tar xf pictures/test/test-000.tar -C one; mkdir other; cp -r one/* other; cd other; set -- *; mv "$1" zebra; cd ..; n=0
            for f in one/*/*.jpg; do cp $f flat/$((n += 1)).jpg; done
            initialize --network tiny-resnet18 --embedding 16 -q -o wide.safetensors; head -c 5000 wide.safetensors > cut.safetensors
            """)
        let given = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test"
        for (settings, words) in [
            ("DATA=$PWD/nowhere", "nowhere: cannot open it: No such file or directory"),
            ("\(given) TEACHER=$PWD/nobody", "nobody: cannot open it: No such file"),
            ("\(given) TEACHER=$PWD/text.tar", "text.tar: "),
            ("\(given) TEACHER=$PWD/cut.safetensors", "cut.safetensors: "),
            ("DATA=$PWD/pictures/train TEST=$PWD/nothing.tar", "nothing.tar: cannot open it"),
            ("DATA=$PWD/pictures/train TEST=$PWD/empty", "empty: has no JPEG"),
            ("DATA=$PWD/pictures/train TEST=$PWD/cut.tar", "cut.tar: "),
            ("DATA=$PWD/pictures/train TEST=$PWD/text.tar", "text.tar: "),
            ("DATA=$PWD/pictures/train TEST=$PWD/flat", "flat: has no labels, so nothing can be evaluated on it"),
            ("DATA=$PWD/pictures/train TEST=$PWD/other", "other: has classes that DATA lacks: 'zebra'"),
            ("\(given) EPOCHS=many", "EPOCHS=many: a whole number from 1 to"),
            ("\(given) EPOCHS=-1", "EPOCHS=-1: a whole number from 1 to"),
            ("\(given) EPOCHS=+1", "EPOCHS=+1: a whole number from 1 to"),
            ("\(given) SIZE=0", "SIZE=0: a whole number from 8 to"),
            ("\(given) BATCH=97", "BATCH=97: there are 96 images to learn from"),
            ("\(given) FLAGS='--limit 8'", "BATCH=16: there are 8 images to learn from"),
            ("DATA=$PWD/pictures/train TEACHER_BATCH=49", "TEACHER_BATCH=49: there are 48 images"),
            ("\(given) QUEUE=abc", "QUEUE=abc: a whole number"), ("\(given) QUEUE=0", "QUEUE=0: a whole number"),
            ("\(given) SEED=1e3", "SEED=1e3: a whole number"),
            ("\(given) STUDENT=resnet19", "STUDENT=resnet19: there is none of that name; did you mean resnet18?"),
            ("\(given) TEACHER_NETWORK=tiny-resnet1", "did you mean tiny-resnet10?"),
            ("\(given) TEACHER_OBJECTIVE=mocov2", "did you mean moco-v2?"),
            ("\(given) STUDENT_OPTIONS='--learning-rat 1'", "STUDENT_OPTIONS: train-step: Unknown option '--learning-rat'"),
            ("\(given) STUDENT_OPTIONS=--loss\\ \\'x", "STUDENT_OPTIONS=--loss 'x: a quote is not closed"),
            ("\(given) TEACHER_OPTIONS='--warm-up 99'", "TEACHER_OPTIONS: train-step: "),
            ("\(given) FLAGS=--allow-worse", "FLAGS: --allow-worse cannot be given here; FLAGS takes --allow-bad"),
            ("\(given) FLAGS='--data /nowhere'", "FLAGS: --data cannot be given here"),
            ("\(given) FLAGS='--limit x'", "FLAGS: augment: "),
            ("\(given) STUDENT_OPTIONS=\"--loss 'nothere-at-all --x'\"", "STUDENT_OPTIONS: --loss 'nothere-at-all --x': there is no program 'nothere-at-all' in the folders of PATH"),
            ("\(given) STUDENT_OPTIONS='--loss=nothere-at-all'", "there is no program 'nothere-at-all'"),
            ("\(given) STUDENT_OPTIONS=\"--loss 'nothere-at-all 2>x | tee y'\"", "there is no program 'nothere-at-all'"),
            ("\(given) STUDENT_OPTIONS=\"--loss './nothere.py \\$x'\"", "/./nothere.py: No such file or directory; relative paths start where make is called"),
            ("\(given) STUDENT_OPTIONS=\"--loss 'pipelines/student.mk x'\"", "/pipelines/student.mk is not an executable program; make it executable"),
            ("\(given) STUDENT_OPTIONS=\"--loss 'pipelines/conf'\"", "/pipelines/conf is not an executable program"),
            ("\(given) STUDENT_OPTIONS=\"--loss 'queue-loss |'\"", "is not a valid shell command: "),
            ("\(given) TEACHER_OBJECTIVE=moco-v2 TEACHER_OPTIONS=\"--loss 'nothere-at-all --x'\"", "TEACHER_OPTIONS: --loss 'nothere-at-all --x': there is no program"),
            ("\(given) SHOW=yes", "SHOW=yes: 1 is expected, or nothing"),
            ("DATA=pictures/nowhere", "DATA=pictures/nowhere: cannot open it: No such file or directory; it was looked for in \(Workplace.root), where make runs"),
            ("\(given) STUDENT_OPTIONS=--help", "STUDENT_OPTIONS: --help cannot be given here"),
            ("\(given) STUDENT_OPTIONS='-o x'", "STUDENT_OPTIONS: -o cannot be given here"),
            ("\(given) STUDENT_OPTIONS='--objective moco-v2'", "STUDENT_OPTIONS: --objective has its own setting; give METHOD instead"),
            ("\(given) STUDENT_OPTIONS=--queue-size=9", "give QUEUE instead"), ("\(given) TEACHER_OPTIONS='--seed 4'", "TEACHER_OPTIONS: --seed has its own setting; give SEED instead"),
            ("\(given) STUDENT_OPTIONS='--learning-rate -1'", "STUDENT_OPTIONS: train-step: --learning-rate takes 0 to 10000, found -1"),
            ("\(given) STUDENT_OPTIONS=stray", "STUDENT_OPTIONS: train-step: Unexpected argument 'stray'"),
            ("\(given) \"RUNS=$(printf 'a\\033[31mb')\"", "contains a control character"), ("\(given) \"RUNS=$(printf 'a\\342\\200\\256b')\"", "or an invisible one"),
            ("\(given) STUDENT_OPTIONS=\"--loss ''\"", "an option is empty"),
            ("\(given) STUDENT_OPTIONS=@file", "an option begins with '@'"),
            ("BATCH=97 TEACHER_BATCH=16 SYNTHESIZE_OPTIONS='--train 96'", "BATCH=97: there are 96 images to learn from"),
            ("TEACHER_BATCH=97 SYNTHESIZE_OPTIONS='--train=96'", "TEACHER_BATCH=97: there are 96 images to learn from"),
            ("\(given) TEACHER=$PWD/empty", "empty: is not a regular file"),
            ("\(given) SYNTHESIZE_OPTIONS='--classes 3'", "SYNTHESIZE_OPTIONS is for drawn images"),
            ("SYNTHESIZE_OPTIONS='--classes 1'", "SYNTHESIZE_OPTIONS: synthesize: --classes takes 2 to"),
            ("\(given) STUDET=resnet18", "there is no setting STUDET; did you mean STUDENT?"),
            ("\(given) epochs=3", "there is no setting epochs; did you mean EPOCHS?"),
            ("\(given) QQ=3", "there is no setting QQ; 'make help' lists all"),
            ("\(given) MAKE=make", "MAKE is a variable of make itself, and may break its recipes; leave it out"),
            ("\(given) MAKELEVEL=0", "MAKELEVEL is a variable of make itself"),
            ("\(given) STUDENT_OPTIONS=0.1", "STUDENT_OPTIONS: train-step: "), ("\(given) TEACHER_OPTIONS='-- x'", "TEACHER_OPTIONS=-- x: contains '--', after which nothing is an option"),
            ("\(given) TEACHER=$PWD/wide.safetensors EMBEDDING=8", "has embeddings of 16 numbers where EMBEDDING=8"),
            ("TEST=$PWD/pictures/test", "needs DATA"),
            ("\(given) EXPORT='onnx trch'", "EXPORT=onnx trch: there is none of that name, 'trch'; did you mean torch? there are onnx, torch"),
            ("\(given) EXPORT=onx", "EXPORT=onx: there is none of that name; did you mean onnx? there are onnx, torch"),
            ("\(given) EXPORT=onnx STUDENT=resnet50-w5", "EXPORT=onnx: resnet50-w5 has more numbers than an ONNX file of 2 GB holds; leave out onnx"),
        ] {
            let result = try place.run(place.make("a", settings))
            #expect(result.status == 2 && result.error.contains(words), "\(settings): \(result.error)")
            #expect(result.error.split(separator: "\n").count == 2, "\(result.error)")
            #expect(!place.exists("runs"), "\(settings)")
        }
        for name in ["", ".", "..", "../b", "/", ".x", "-x", "a/b"] {
            let result = try place.run(place.make(name))
            #expect(result.status == 2 && result.error.contains("NAME=\(name): ") && !place.exists("runs"), "\(result.error)")
        }
    }

    /// Checks a run with this loss by `make check`.
    private func check(loss: String, in place: Workplace) throws -> Workplace.Result {
        // Quoted for the option string, and passed through a file because of the test's own shell.
        try place.write("--loss \"\(loss.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("$", with: "\\$").replacing("`", with: "\\`"))\"", to: "value")
        let make = place.make("a", #"DATA=$PWD/pictures/train TEST=$PWD/pictures/test "STUDENT_OPTIONS=$(cat value)""#)
        return try place.run(make.replacing(" distill ", with: " check "))
    }

    @Test func `a loss is tried on a few rows before anything is done`() throws {
        let place = try Workplace.images()
        for loss in [
            "exec queue-loss -q", "A=b queue-loss -q", "nothere-at-all 2> /dev/null || queue-loss -q", "nothere-at-all; queue-loss -q", "queue-loss -q | cat",
            "'queue-loss' -q", "if true; then queue-loss -q; fi", "{ queue-loss -q; }", "f() { queue-loss -q; }; f", "$(echo queue-loss) -q", "`echo queue-loss` -q",
        ] {
            let result = try check(loss: loss, in: place)
            #expect(result.status == 0 && !place.exists("runs"), "\(loss): \(result.error)")
        }
        for (loss, words) in [
            ("true", "; the program ended with exit status 0"), ("cat", "--loss 'cat': record 0: has no tensor 'loss'"), ("exit 1", "; the program ended with exit status 1"),
            ("queue-loss -q --queu 3", "; the program ended with exit status 64"), ("python3 nothere.py 'a;b'", "; the program ended with exit status 2"),
            ("$PROGRAM x", "; the program ended with exit status 127"), ("cd / && ./nothere", "; the program ended with exit status 127"), ("! queue-loss -q", "gave all answers, but ended with exit status 1"), ("no\\there", "; the program ended with exit status 127"),
        ] {
            let result = try check(loss: loss, in: place)
            #expect(result.status == 2 && result.error.contains("plan: STUDENT_OPTIONS: ") && result.error.contains(words) && !place.exists("runs"), "\(loss): \(result.error)")
        }
    }

    @Test func `a run's own files are not given to it, and a run without its settings is none`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a")).status == 0)
        let before = try place.bytes("runs/a/student.safetensors")
        for (setting, path) in [("TEACHER", "runs/a/student.safetensors"), ("DATA", "runs/a"), ("TEST", "runs/a/data")] {
            let result = try place.run(place.make("a", "\(setting)=$PWD/\(path)"))
            #expect(result.status == 2 && result.error.contains("\(path) lies in ") && result.error.contains(", the run that uses it"), "\(result.error)")
        }
        try place.run("mv runs/a/settings kept")
        let lost = try place.run(place.make("a"))
        #expect(lost.status == 2 && lost.error.contains("runs/a/settings: is missing, but stages of the run exist; restore it"), "\(lost.error)")
        try place.run("mv kept runs/a/settings")
        #expect(try place.run(place.make("a")).error.contains("nothing: all is done") && place.bytes("runs/a/student.safetensors") == before)
    }

    @Test func `why finished stages are done again is told`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a")).status == 0)
        let queue = try place.run(place.make("a", "QUEUE=20 BATCH=16").replacing(" distill ", with: " check "))
        #expect(queue.status == 0 && queue.error.contains(" stages from student.1 on are redone; changed since: QUEUE"), "\(queue.error)")
        try place.run("rm -r data; mkdir data; tar xf pictures/train/train-000.tar -C data")
        let data = try place.run(place.make("a", "DATA=$PWD/data").replacing(" distill ", with: " check "))
        #expect(data.status == 0 && data.error.contains("are redone; changed since: DATA"), "\(data.error)")
    }

    @Test func `the summary tells what is left over of each epoch, and where its time comes from`() throws {
        let place = try Workplace.images()
        let first = try place.run(place.make("a", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test BATCH=20"))
        #expect(first.error.contains("2 epochs of 4 steps of 20 images, 16×16; 16 of 96 images are left out of each epoch, different ones each time\n"), "\(first.error)")
        #expect(first.lines.count { $0.contains("left out of each epoch") } == 1 && first.error.contains(", measured just now, inaccurate if the machine was busy"))
        let more = try place.run(place.make("a", "EPOCHS=3").replacing(" distill ", with: " check "))
        #expect(more.error.contains("measured just now"), "another batch: \(more.error)")
        let longer = try place.run(place.make("a", "EPOCHS=3 BATCH=20").replacing(" distill ", with: " check "))
        #expect(longer.lines.contains { $0.hasPrefix("  time ") && $0.hasSuffix(", estimated from this run's finished stages") }, "\(longer.error)")
    }

    @Test func `what the evaluations remark is told once`() throws {
        let place = try Workplace.images()
        let result = try place.run(place.make("a"))
        let words = "there are 4 classes, so top-5 is meaningless and is left out"
        #expect(result.output.split(separator: "\n").filter { $0.contains(words) } == ["remark: \(words)"] && !result.error.contains(words), "\(result.output)\(result.error)")
        let table = try JSON(parsing: try place.text("runs/a/table.json"))
        #expect(table["remarks"]?.asArray?.first?["rows"]?.asArray?.compactMap(\.asString) == ["teacher", "student before", "student after"])
    }

    @Test func `settings come from the command line or the run, never from the environment`() throws {
        let place = try Workplace.images()
        let result = try place.run("export EPOCHS=7 STUDENT=nothing DATA=/nowhere KEEP=x BUILD=yes NAME=b; \(place.make("a"))")
        #expect(result.status == 0 && result.output.contains("student.2.safetensors"), "\(result.error)")
        let again = try place.run("export EPOCHS=7 STUDENT=nothing DATA=/nowhere; make -C '\(Workplace.root)' distill BUILD=no RUNS=$PWD/runs NAME=a")
        #expect(again.status == 0 && place.toDo(again) == "nothing: all is done", "\(again.error)")
    }

    @Test func `what a run remembers is data, whoever wrote it, and is refused when it was cut`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a")).status == 0)
        let settings = try place.text("runs/a/settings")
        try place.write(settings.replacing("FLAGS=", with: "FLAGS=$(shell touch pwned)`touch pwned`;touch pwned"), to: "runs/a/settings")
        let hostile = try place.run(place.make("a"))
        #expect(hostile.status == 2 && hostile.error.contains("FLAGS: ") && !FileManager.default.fileExists(atPath: Workplace.root + "/pwned"))
        #expect(!place.exists("pwned") && !place.exists("runs/a/pwned"))
        for cut in [0, 10, settings.utf8.count / 2, settings.utf8.count - 1] {
            try place.write(String(decoding: Array(settings.utf8.prefix(cut)), as: UTF8.self), to: "runs/a/settings")
            let refused = try place.run(place.make("a"))
            #expect(refused.status == 2 && refused.error.contains("runs/a/settings: has no end: it was cut short; restore it, remove the run, or give another NAME"), "\(cut): \(refused.error)")
        }
    }

    @Test func `KEEP keeps the latest checkpoints, and nothing is made twice for it`() throws {
        let place = try Workplace.images()
        let result = try place.run(place.make("a") + " EPOCHS=5 TEACHER_EPOCHS=3 KEEP=2")
        #expect(result.status == 0 && result.error.contains("the latest 2 checkpoints of each network are kept"), "\(result.error)")
        #expect(try place.contents("runs/a").filter { $0.hasSuffix(".safetensors") } == [
            "student.0.safetensors", "student.4.safetensors", "student.5.safetensors", "student.safetensors",
            "teacher.0.safetensors", "teacher.2.safetensors", "teacher.3.safetensors", "teacher.safetensors",
        ])
        #expect(try place.toDo(place.run(place.make("a") + " EPOCHS=5 TEACHER_EPOCHS=3")) == "nothing: all is done")
        #expect(try place.toDo(place.run(place.make("a") + " EPOCHS=6 TEACHER_EPOCHS=3")) == "student.6, student, features, evaluation, table, report")
        try #require(try place.run(place.make("b") + " EPOCHS=6 TEACHER_EPOCHS=3").status == 0)
        // Five epochs and a sixth differ from six epochs of a longer schedule; but the same sequence gives the same
        // bytes.
        try #require(try place.run(place.make("c") + " EPOCHS=5 TEACHER_EPOCHS=3").status == 0)
        try #require(try place.run(place.make("c") + " EPOCHS=6 TEACHER_EPOCHS=3").status == 0)
        #expect(try place.bytes("runs/a/student.safetensors") == place.bytes("runs/c/student.safetensors"))
        #expect(try place.text("runs/a/table.txt").contains("student: trained with a schedule of 5 epochs, then of 6 epochs"))
    }

    @Test func `fewer epochs are those of a shorter schedule`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a") + " EPOCHS=3").status == 0)
        let shorter = try place.run(place.make("a") + " EPOCHS=2")
        #expect(place.toDo(shorter) == "student.1 … student.2, student, features, evaluation, table, report", "\(shorter.error)")
        try #require(try place.run(place.make("b") + " EPOCHS=2").status == 0)
        #expect(try place.bytes("runs/a/student.safetensors") == place.bytes("runs/b/student.safetensors"))
        #expect(try place.bytes("runs/a/evaluation/student.2.knn.json") == place.bytes("runs/b/evaluation/student.2.knn.json"))
    }

    @Test(arguments: ["MAKEFLAGS=", "MAKEOVERRIDES=", "SHELL=/bin/dash", ".SHELLFLAGS=-c", "CURDIR=/"])
    func `what would keep the settings from plan is refused by make`(variable: String) throws {
        let place = try Workplace()
        let result = try place.run(place.make("a", variable))
        #expect(result.status == 2 && result.lines.count == 1 && result.error.contains("\(variable.prefix { $0 != "=" }) is no setting of a run: leave it out"), "\(result.error)")
        #expect(!place.exists("runs"))
    }

    @Test func `memory is told, and more than the machine has is refused before anything is done`() throws {
        let place = try Workplace.images()
        let checked = try place.run(place.make("a").replacing(" distill ", with: " check "))
        #expect(checked.status == 0 && checked.error.contains("  memory       about "), "\(checked.error)")
        let refused = try place.run(place.make("a") + " SIZE=2048 BATCH=96 STUDENT=resnet50 TEACHER_BATCH=16")
        #expect(refused.status == 2 && refused.error.contains("a step needs about ") && refused.error.contains("take a smaller BATCH"), "\(refused.error)")
        #expect(!place.exists("runs"))
    }

    @Test func `options of make that would call done what is not are refused, those that only look change nothing, and -B does all again`() throws {
        let place = try Workplace.images()
        for option in ["-e", "-t", "-i", "-se", "-q"] {
            let result = try place.run(place.make("a") + " \(option)")
            // With -i make ignores its own failure.
            #expect(result.status == (option == "-i" ? 0 : 2) && result.error.contains("plan: make -\(option.last!) ") && (option == "-q" || result.error.contains("leave it out")), "\(option): \(result.error)")
            #expect(!place.exists("runs"))
        }
        let told = try place.run(place.make("a") + " -n")
        #expect(told.status == 0 && told.error.contains("  to do        student.0") && !place.exists("runs"), "\(told.error)")
        try #require(try place.run(place.make("a") + " -k -s -j4").status == 0)
        let before = try place.results("a"), times = try place.times("a")
        let again = try place.run(place.make("a") + " -B")
        #expect(again.status == 0 && again.error.contains("make -B: all stages are redone"), "\(again.error)")
        let after = try place.times("a")
        #expect(try place.results("a") == before && times.allSatisfy { after[$0.key] != $0.value })
    }

}

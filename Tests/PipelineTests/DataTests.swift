import Foundation
import TensorStreams
import TestSupport
import Testing

struct DataTests {
    @Test func `a folder, its tar and its compressed tar give the same student`() throws {
        let place = try Workplace.images()
        let result = try place.run("""
            set -e
            mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done
            tar cf whole.tar -C folder .; tar czf packed.tgz -C folder .
            """)
        try #require(result.status == 0, "\(result.error)")
        var students: [Data] = []
        for data in ["folder", "whole.tar", "packed.tgz"] {
            let name = data.split(separator: ".").joined()
            let result = try place.run(place.make(name, "DATA=$PWD/\(data) TEST=$PWD/pictures/test"))
            try #require(result.status == 0, "\(result.error)")
            #expect(result.output.contains("teacher") && result.output.contains("student before") && result.output.contains("student after"))
            students.append(try place.weights("runs/\(name)/student.safetensors"))
        }
        #expect(students[0] == students[1] && students[1] == students[2])
    }

    @Test func `without TEST one half of the images judges what the other half teaches`() throws {
        let place = try Workplace.images()
        let result = try place.run(place.make("a", "DATA=$PWD/pictures/train"))
        try #require(result.status == 0, "\(result.error)")
        #expect(result.output.contains("48 train, 48 test"))
        func indices(_ part: String) throws -> Set<Int> {
            Set(try place.read("runs/a/features/student.2.\(part).tensors.zst").records.flatMap { try $0.tensor("index", .i64, shape: [nil]).integers() })
        }
        let (train, test) = (try indices("train"), try indices("test"))
        #expect(train.isDisjoint(with: test) && train.union(test) == Set(0..<96))
        // A teacher trained with labels does not see the images that it is evaluated on.
        #expect(try place.text("runs/a/log/teacher.1.jsonl").contains(#""images":48"#))
        #expect(try place.text("runs/a/log/student.1.jsonl").contains(#""images":96"#))
    }

    @Test func `images without labels are distilled, and judged by the teacher's neighbours`() throws {
        let place = try Workplace.images()
        try place.run("""
            mkdir folder flat; for f in pictures/train/*.tar; do tar xf $f -C folder; done; n=0
            for f in folder/*/*.jpg; do cp $f flat/$((++n)).jpg; done
            """)
        let images = try place.run("ls flat | wc -l").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let result = try place.run(place.make("a", "DATA=$PWD/flat TEACHER_OBJECTIVE=moco-v2"))
        #expect(result.status == 0, "\(result.error)")
        #expect(result.error.contains("evaluate on  all of DATA: whether images are told apart and share the teacher's neighbours. DATA has no labels: put images into folders"))
        #expect(place.exists("runs/a/student.safetensors") && !place.exists("runs/a/evaluation/student.0.knn.json"))
        let table = try place.text("runs/a/table.txt")
        #expect(table.contains("teacher's neighbours (k=10)") && table.contains("effective rank of \(images) images") && result.output.contains(table), "\(result.output)")
        // A run with evaluations during training, which starts from the existing results.
        let probed = try place.run(place.make("a", "DATA=$PWD/flat TEACHER_OBJECTIVE=moco-v2 PROBE=1"))
        #expect(probed.status == 0 && probed.output.contains("student, teacher's neighbours (k=10) after epochs 1: "), "\(probed.output)\(probed.error)")
        #expect(probed.error.contains("student.1: agreement with the teacher ") && probed.error.contains("student.1: deviation "), "\(probed.error)")
        #expect(try place.toDo(place.run(place.make("a", "TEACHER_OBJECTIVE=moco-v2"))) == "nothing: all is done")
        let alone = try place.run("make --no-print-directory -C '\(Workplace.root)' stage BUILD=no RUNS=$PWD/runs NAME=a STAGE=evaluation.student.1.quality")
        #expect(alone.status == 0, "\(alone.error)")
        // Without a teacher there are no neighbours to compare with.
        let pretrained = try place.run("make --no-print-directory -C '\(Workplace.root)' pretrain BUILD=no RUNS=$PWD/runs NAME=c DATA=$PWD/flat METHOD=moco-v2 STUDENT=tiny-resnet10 SIZE=16 BATCH=16 EPOCHS=1")
        #expect(pretrained.status == 0 && pretrained.output.contains("effective rank") && !pretrained.output.contains("neighbours"), "\(pretrained.output)\(pretrained.error)")
        let supervised = try place.run(place.make("b", "DATA=$PWD/flat"))
        #expect(supervised.status == 2 && supervised.error.contains("has no labels and TEACHER_OBJECTIVE=supervised-contrastive needs several classes") && !place.exists("runs/b"))
        // Splits without labels are used for training all the same.
        try place.run("mkdir -p split/train split/val; cp flat/[1-8]?.jpg split/train; cp flat/9?.jpg split/val")
        let split = try place.run(place.make("d", "DATA=$PWD/split TEACHER_OBJECTIVE=moco-v2").replacing(" distill ", with: " check "))
        #expect(split.status == 0 && split.error.contains("its 'train': 80 images, no labels") && split.error.contains("evaluate on  all of DATA"), "\(split.error)")
        // Labelled test images are enough for an evaluation: one half by the labels of the other.
        let judged = try place.run(place.make("c", "DATA=$PWD/flat TEST=$PWD/pictures/test TEACHER_OBJECTIVE=moco-v2"))
        #expect(judged.status == 0 && judged.output.contains("16 train, 16 test"), "\(judged.error)")
    }

    @Test func `a given teacher is not trained`() throws {
        let place = try Workplace.images()
        try place.run("initialize --network tiny-resnet18 --embedding 16 --seed 3 -q -o mine.safetensors")
        let result = try place.run(place.make("a", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors"))
        #expect(result.status == 0, "\(result.error)")
        #expect(try place.contents("runs/a").filter { $0.hasPrefix("teacher") } == ["teacher.safetensors"] && !result.output.contains("training the teacher"))
        let narrow = try place.run(place.make("b", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors EMBEDDING=8"))
        #expect(narrow.status == 2 && narrow.error.contains("has embeddings of 16 numbers where EMBEDDING=8") && !place.exists("runs/b"))
    }

    @Test func `a stage that fails names its log, and leaves what is done`() throws {
        let place = try Workplace.images()
        try place.write("[ -z \"$SEED_LOSS_TRIAL\" ] && exit 3; exec queue-loss -q\n", to: "loss.sh")
        let result = try place.run(place.make("a", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test STUDENT_OPTIONS=\"--loss 'sh $PWD/loss.sh'\""))
        #expect(result.status == 2 && result.error.contains("student.1 failed; see \(place.path("runs/a/log/student.1.log"))"), "\(result.error)")
        #expect(try place.text("runs/a/log/student.1.log").contains("ended with exit status 3"))
        #expect(try place.contents("runs/a").filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".part") }
            == ["student.0.safetensors", "teacher.0.safetensors", "teacher.1.safetensors", "teacher.safetensors"])
    }

    @Test func `one broken image among many is left out, named and counted; more need to be allowed`() throws {
        let place = try Workplace()
        try place.run("""
            synthesize --classes 4 --train 128 --test 32 --size 24 -q -o pictures
            mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done
            """)
        let names = try place.contents("folder").filter { $0.hasSuffix(".jpg") }
        try #require(names.count == 128)
        try place.write(try place.bytes("folder/\(names[40])").prefix(300), to: "folder/\(names[40])")
        let settings = "DATA=$PWD/folder TEST=$PWD/pictures/test"
        let result = try place.run(place.make("a", settings))
        #expect(result.status == 0, "\(result.error)")
        for log in ["teacher.1", "student.1", "student.2", "features.student.2.train"] {
            let lines = try place.text("runs/a/log/\(log).log").split(separator: "\n")
            #expect(lines.count { $0.hasPrefix("augment: ") && $0.contains(names[40]) && $0.hasSuffix("left out") } == 1, "\(log): \(lines)")
        }
        #expect(result.output.contains("127 train, 32 test"))
        // Two of 128 are too many, and their headers reveal it.
        try place.write("text", to: "folder/\(names[77])")
        let refused = try place.run(place.make("b", settings))
        #expect(refused.status == 2 && refused.error.contains("2 of its 128 images are broken, more than 1 %") && refused.error.contains("FLAGS=--allow-bad"))
        #expect(!place.exists("runs/b"))
        let allowed = try place.run(place.make("b", settings + " FLAGS=--allow-bad"))
        #expect(allowed.status == 0 && allowed.output.contains("126 train, 32 test"), "\(allowed.error)")
    }

    @Test func `data that changes while a stage is at work is told, and make goes on with it when it is run again`() throws {
        let place = try Workplace.images()
        try place.run("mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done; initialize --network tiny-resnet10 --embedding 16 --seed 3 -q -o mine.safetensors; cp mine.safetensors kept")
        let given = "DATA=$PWD/folder TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors EPOCHS=1"
        let names = try place.contents("folder").filter { $0.hasSuffix(".jpg") }
        for (change, file, what, stage) in [
            ("cp folder/\(names[3]) folder/\(names[5])", "folder/\(names[5])", "was changed", "student.1"),
            // The old size and timestamp do not hide the change.
            ("touch -r folder/\(names[7]) time; printf x | dd of=folder/\(names[7]) bs=1 seek=40 conv=notrunc status=none; touch -r time folder/\(names[7])", "folder/\(names[7])", "was changed", "student.1"),
            ("cp folder/\(names[0]) folder/\(names[0])-more.jpg", "folder/\(names[0])-more.jpg", "was added", "student.1"),
            ("rm folder/\(names[0])-more.jpg folder/\(names[9])", "folder/\(names[0])-more.jpg", "was removed while make was running (another file too)", "student.1"),
            ("mv folder/\(names[11]) folder/\(names[90]).jpg", "folder/\(names[11])", "was removed while make was running (another file too)", "student.1"),
            ("initialize --network tiny-resnet10 --embedding 16 --seed 4 -q -o mine.safetensors", "mine.safetensors", "was changed", "student.1"),
            ("cp pictures/test/test-000.tar pictures/test/more.tar", "pictures/test/more.tar", "was added", "features.teacher.test"),
        ] {
            let result = try place.runHeld("a", given, change)
            #expect(result.status == 2 && result.error.contains("Error 65"), "\(change): \(result.error)")
            let lines = result.lines.filter { $0.hasPrefix("plan: ") && $0.contains("does not count as done") }
            #expect(lines.count == 1 && lines[0].hasPrefix("plan: \(place.real(file)): \(what)"), "\(change): \(result.error)")
            #expect(lines.first?.hasSuffix("so \(stage) does not count as done; run make again") == true && !place.exists("runs/a/done/\(stage)"), "\(lines)")
        }
        // The result equals that of a run that has never seen other data.
        let again = try place.run(place.makeHeld("a", given))
        #expect(again.status == 0 && place.toDo(again)?.hasPrefix("features") == true, "\(again.error)")
        try #require(try place.run(place.makeHeld("b", given)).status == 0)
        #expect(try place.results("a") == place.results("b"))
    }

    @Test func `data that is touched, copied over itself or lost and found while a stage is at work is the same data`() throws {
        let place = try Workplace.images()
        try place.run("mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done; tar cf whole.tar -C folder .; initialize --network tiny-resnet10 --embedding 16 --seed 3 -q -o mine.safetensors")
        let change = """
            find folder images -exec touch -d 2041-01-01 {} +; chmod -R go-r folder; cp -r folder copy; rm -r folder; mv copy folder
            cp whole.tar copy.tar; mv copy.tar whole.tar; touch mine.safetensors; cp mine.safetensors copied; mv copied mine.safetensors; echo text > folder/readme.txt
            """
        for (name, data) in [("a", "folder"), ("b", "whole.tar")] {
            let given = "DATA=$PWD/\(data) TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors EPOCHS=1"
            let result = try place.runHeld(name, given, change)
            #expect(result.status == 0 && result.output.contains("student after"), "\(result.error)")
            #expect(try place.toDo(place.run(place.makeHeld(name, given))) == "nothing: all is done")
        }
    }

    @Test func `an archive that is replaced while a stage is at work is told, and a part of the data that nothing reads is not`() throws {
        let place = try Workplace.images()
        let archive = try place.runHeld("a", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test EPOCHS=1", "cp pictures/train/train-000.tar pictures/train/train-001.tar")
        #expect(archive.status == 2 && archive.error.contains("plan: \(place.real("pictures/train/train-001.tar")): was changed while make was running"), "\(archive.error)")
        try place.run("mkdir split split/train split/val split/extra; for f in pictures/train/*.tar; do tar xf $f -C split/train; done; for f in pictures/test/*.tar; do tar xf $f -C split/val; done")
        let name = try #require(try place.contents("split/train").first { $0.hasSuffix(".jpg") })
        let beside = try place.runHeld("b", "DATA=$PWD/split EPOCHS=1", "cp split/train/\(name) split/extra/new.jpg")
        #expect(beside.status == 0, "\(beside.error)")
        let own = try place.runHeld("c", "DATA=$PWD/split EPOCHS=1", "cp split/train/\(name) split/val/\(name).jpg")
        #expect(own.status == 2 && own.error.contains("\(name).jpg: was added while make was running, so features."), "\(own.error)")
    }

    @Test func `the one folder of DATA is no class by which TEST is judged`() throws {
        let place = try Workplace.images()
        try place.run("""
            mkdir -p all data/photos test/photos; for f in pictures/train/*.tar; do tar xf $f -C all; done; for f in pictures/test/*.tar; do tar xf $f -C test/photos; done
            n=0; for f in all/*/*.jpg; do cp $f data/photos/$((n += 1)).jpg; done
            """)
        let result = try place.run(place.make("a", "EPOCHS=1 TEACHER_OBJECTIVE=moco-v2 DATA=$PWD/data TEST=$PWD/test"))
        // As augment reads it, without a list of classes.
        #expect(result.status == 0 && result.error.contains("32 images in 4 classes") && result.output.contains("16 train, 16 test"), "\(result.error)")
    }

    @Test func `the hash of a file is not kept that may have been written after it was looked at`() throws {
        let place = try Workplace.images()
        // A file that is two seconds old when it is examined is settled; the large file is not, however long reading
        // takes.
        try place.run("mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done; set -- folder/*; mkdir -p runs/a/data; echo 'end of settings' > runs/a/settings; sleep 4")
        let name = try #require(try place.contents("folder").first)
        let result = try place.run("""
            export MAKEFLAGS=" -- RUNS=$PWD/runs NAME=a SIZE=16 EMBEDDING=16 BATCH=16 STUDENT=tiny-resnet10 TEACHER_NETWORK=tiny-resnet10 DATA=$PWD/folder FLAGS=--allow-bad"
            large=folder/\(name)/large.jpg
            for round in {1..20}; do
                rm -f runs/a/data/hashes $large; truncate -s 1G $large
                plan check --quiet --pipelines '\(Workplace.root)/pipelines' & plan=$!
                isRead=
                while [ -z "$isRead" ] && kill -0 $plan 2> /dev/null; do
                    for f in /proc/$plan/fd/*; do if [ $f -ef $large ]; then kill -STOP $plan; isRead=1; break; fi; done
                done
                now=$(date +%s)
                [ -z "$isRead" ] || sleep 4
                kill -CONT $plan 2> /dev/null
                wait $plan || exit 1
                # Else the machine was too slow to look at it soon enough, or this script too slow to see that.
                [ -n "$isRead" ] && [ $((now - $(stat -c %Z $large))) -lt 2 ] && exit 0
            done
            exit 2
            """)
        try #require(result.status == 0, "\(result.error)")
        #expect(try place.text("runs/a/data/hashes").split(separator: "\n").count == 96 + 1)
    }

    @Test func `hashes are kept by make check where there is a run that nobody works on, and used`() throws {
        let place = try Workplace.images()
        try place.run("synthesize --classes 4 --train 1500 --test 4 --shards 1 --size 16 -q -o many; sleep 3")
        try #require(try place.run(place.make("a", "EPOCHS=1 DATA=$PWD/pictures/train TEST=$PWD/pictures/test")).status == 0)
        let check = place.make("a", "").replacing(" distill ", with: " check ") + " EPOCHS=1"
        let before = try place.bytes("runs/a/data/hashes"), lines = try place.text("runs/a/data/hashes").split(separator: "\n").count
        let busy = try place.run("flock runs/a/lock \(check) DATA=$PWD/many/train")
        #expect(try busy.status == 0 && place.bytes("runs/a/data/hashes") == before, "\(busy.error)")
        // The 1500 images of one archive take two lines.
        let other = try place.run(check + " DATA=$PWD/many/train")
        let after = try place.text("runs/a/data/hashes").split(separator: "\n")
        #expect(other.status == 0 && after.count == lines + 2, "\(lines) \(after.count) \(other.error)")
        #expect(try place.toDo(place.run(check)) == "nothing: all is done")
        // Stored hashes are trusted: the files are not read again.
        try place.write(after.map { $0.hasPrefix("end") ? "\($0)\n" : $0.split(separator: " ")[0] + " " + $0.split(separator: " ")[1].split(separator: ",").map { _ in "7" }.joined(separator: ",") + "\n" }.joined(), to: "runs/a/data/hashes")
        let believed = try place.run(check)
        #expect(believed.status == 0 && place.toDo(believed)?.contains("student.1") == true, "\(believed.error)")
        try place.run("rm runs/a/data/hashes")
        #expect(try place.toDo(place.run(check)) == "nothing: all is done")
    }
}

extension Workplace {
    /// The command of ``make(_:_:)`` with a loss that waits, in the first epoch, until a file `go` exists.
    fileprivate func makeHeld(_ name: String, _ settings: String) -> String {
        make(name, #"\#(settings) STUDENT_OPTIONS="--loss 'sh $PWD/hold.sh'""#)
    }

    /// Runs it, and runs `change` after the first epoch has read all data and before it ends.
    fileprivate func runHeld(_ name: String, _ settings: String, _ change: String) throws -> Result {
        try write("[ -z \"$SEED_LOSS_TRIAL\" ] || exec queue-loss -q; cd \"${0%/*}\"; while [ ! -e go ]; do sleep 0.02; done; exec queue-loss -q --queue-size 32\n", to: "hold.sh")
        return try run("""
            rm -f go runs/\(name)/log/student.1.images.json
            \(makeHeld(name, settings)) & make=$!
            for i in {1..3000}; do [ -e runs/\(name)/log/student.1.images.json ] && break; sleep 0.02; done
            \(change)
            touch go; wait $make
            """)
    }

    /// A file's path with symbolic links resolved.
    fileprivate func real(_ name: String) -> String {
        let folder = URL(filePath: path(".")).resolvingSymlinksInPath().path
        return "\(folder)/\(name)"
    }

    /// The bytes after the header of a safetensors file: its numbers without their provenance.
    fileprivate func weights(_ name: String) throws -> Data {
        let bytes = try bytes(name)
        let length = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        return bytes.dropFirst(8 + length)
    }
}

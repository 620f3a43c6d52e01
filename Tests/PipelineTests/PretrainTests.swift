import Foundation
import TensorStreams
import TestSupport
import Testing

/// `make pretrain`: a run without a teacher.
struct PretrainTests {
    private func pretrain(_ place: Workplace, _ name: String, _ settings: String = "") -> String {
        """
            make --no-print-directory -C '\(Workplace.root)' pretrain BUILD=no RUNS=$PWD/runs NAME=\(name) SIZE=16 EMBEDDING=16 BATCH=16 \
            STUDENT=tiny-resnet10 EPOCHS=2 DATA=$PWD/pictures/train TEST=$PWD/pictures/test \(settings)
            """
    }

    @Test func `a network learns by a method without a teacher, is judged, goes on, and is a teacher then`() throws {
        let place = try Workplace.images()
        let first = try place.run(pretrain(place, "a", "QUEUE=32"))
        try #require(first.status == 0, "\(first.error)")
        #expect(place.toDo(first) == "student.0 … student.2, student, features, evaluation, table, report" && first.error.contains("tiny-resnet10 by moco-v2"), "\(first.error)")
        let table = try String(decoding: place.bytes("runs/a/table.txt"), as: UTF8.self)
        #expect(table.contains("student after") && !table.contains("teacher") && table.contains("training"), "\(table)")
        // The tools give the same result by hand.
        try place.perform(
            """
            initialize -q --network tiny-resnet10 --embedding 16 --seed 0 -o 0.safetensors
            for n in 0 1; do augment -q --data pictures/train --size 16 --seed 0 --drop-last --recipe moco-v2 --crop-scale 0.2,1 --views 2 --batch 16 --epoch $n | train-step -q - --objective moco-v2 \
              --queue-size 32 --schedule smooth --learning-rate 0.03 --warm-up 1 --seed 0 --epochs 2 --student $n.safetensors -o $((n + 1)).safetensors; done
            convert-weights -q 2.safetensors -o student.safetensors
            """)
        // Compare before `#expect`: for different bytes the testing library would search for the smallest difference,
        // for hours.
        let isSame = try place.bytes("runs/a/student.safetensors") == place.bytes("student.safetensors")
        #expect(isSame)
        // distill recognises the run; it is the same work.
        let again = try place.run(pretrain(place, "a").replacing(" pretrain ", with: " distill "))
        #expect(again.status == 0 && place.toDo(again) == "nothing: all is done", "\(again.error)")
        let longer = try place.run(pretrain(place, "a", "EPOCHS=3"))
        #expect(longer.status == 0 && place.toDo(longer)?.hasPrefix("student.3, student") == true, "\(longer.error)")
        let student = try place.run(place.make("b", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/runs/a/student.safetensors TEACHER_OBJECTIVE=moco-v2"))
        #expect(student.status == 0 && student.error.contains("embeddings of 16 numbers"), "\(student.error)")
    }

    @Test func `archives are gone over in epochs of so many steps, to the same bytes when killed between`() throws {
        let place = try Workplace.images()
        try place.perform(
            """
            mkdir shards all
            for archive in pictures/train/*.tar; do tar -xf $archive -C all; done
            for i in 0 1 2; do (cd all && find . -name '*.jpg' | sort | awk "NR % 3 == $i" | tar -cf ../shards/$i.tar -T -); done
            """)
        func command(_ name: String) -> String {
            pretrain(place, name, "METHOD=simclr STEPS=4 SHUFFLE=archives").replacing("EPOCHS=2", with: "EPOCHS=3").replacing("DATA=$PWD/pictures/train", with: "DATA=$PWD/shards")
        }
        let whole = try place.run(command("a"))
        try #require(whole.status == 0, "\(whole.error)")
        #expect(whole.error.contains("3 epochs of 4 steps of 16 images"), "\(whole.error)")
        let killed = try place.run("""
            setsid \(command("b")) & make=$!
            until [ -e runs/b/done/student.1 ] || ! kill -0 $make 2> /dev/null; do sleep 0.02; done
            kill -9 -- -$make; wait $make || true
            [ ! -e runs/b/table.txt ]
            """)
        #expect(killed.status == 0, "\(killed.error)")
        let again = try place.run(command("b"))
        try #require(again.status == 0, "\(again.error)")
        let (first, second) = (try place.bytes("runs/a/student.3.safetensors"), try place.bytes("runs/b/student.3.safetensors"))
        #expect(first == second)
        // 192 images in three epochs are more than one pass.
        let position = try place.run("inspect runs/a/student.3.safetensors | grep ^position")
        let images = try place.run("find all -name '*.jpg' | wc -l"), count = try #require(Int(images.output.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(position.output.hasPrefix("position: pass \(191 / count), ") && position.output.contains(".tar, image "), "\(position.output)")
        // Together, the epochs are the passes, one after the other.
        try place.perform("augment -q --data shards --shuffle archives --batch 16 --steps 4 --epochs 3 --size 8 --seed 0 -o steps.tensors.zst")
        try place.perform("augment -q --data shards --shuffle archives --batch 1 --epochs \(191 / count + 1) --size 8 --seed 0 -o passes.tensors.zst")
        let (steps, passes) = (try place.images("steps.tensors.zst"), try place.images("passes.tensors.zst"))
        #expect(steps.count == 192 && steps == Array(passes.prefix(192)))
    }

    @Test(arguments: ["moco-v1", "simclr", "byol", "simsiam", "supervised"]) func `every method without a teacher is one word of pretrain`(method: String) throws {
        let place = try Workplace.images()
        let result = try place.run(pretrain(place, "a", "METHOD=\(method) EPOCHS=1"))
        #expect(result.status == 0 && place.exists("runs/a/student.safetensors") && place.exists("runs/a/table.txt"), "\(result.error)")
    }

    @Test(arguments: ["seed-batch", "simreg", "compress-1q", "compress-2q", "kd"]) func `every method with a teacher is one word of distill`(method: String) throws {
        let place = try Workplace.images()
        // Its embedding is a classifier of the four classes, with a different width from its features.
        try place.perform("initialize -q --network tiny-resnet10 --head 'linear 4' -o teacher.safetensors")
        let settings = "METHOD=\(method) EPOCHS=1 TEACHER=$PWD/teacher.safetensors"
        let result = try place.run(pretrain(place, "a", settings).replacing(" pretrain ", with: " distill ").replacing("EMBEDDING=16 ", with: ""))
        #expect(result.status == 0 && place.exists("runs/a/student.safetensors") && place.exists("runs/a/table.txt"), "\(result.error)")
    }

    @Test func `a classifier of other classes is no teacher of kd`() throws {
        let place = try Workplace.images()
        try place.perform("initialize -q --network tiny-resnet10 --head 'linear 5' -o five.safetensors; initialize -q --network tiny-resnet10 --embedding 0 -o none.safetensors")
        for (teacher, words) in [("five", "DATA has 4, and the teacher's rows have 5 numbers"), ("none", "the teacher has no classifier")] {
            let result = try place.run(pretrain(place, "a", "METHOD=kd TEACHER=$PWD/\(teacher).safetensors").replacing(" pretrain ", with: " check ").replacing("EMBEDDING=16 ", with: ""))
            #expect(result.status == 2 && result.error.contains(words), "\(result.error)")
        }
    }

    @Test func `a recipe in a file belongs to the run, which learns anew where it has changed`() throws {
        let place = try Workplace.images(), data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test EPOCHS=1 METHOD=simclr "
        try place.perform("augment --show-recipe moco-v2 > mine.json")
        let relative = String(repeating: "../", count: Workplace.root.split(separator: "/").count) + place.path("mine.json").dropFirst(), crops = "CROPS=2x16:\(relative)"
        let first = try place.run(pretrain(place, "a", data + crops))
        #expect(first.status == 0 && place.exists("runs/a/options/recipe.1.json"), "\(first.error)")
        #expect(try place.text("runs/a/options/student.augment").contains("2x16:options/recipe.1.json"))
        let again = try place.run(pretrain(place, "a", data + crops))
        #expect(again.error.contains("nothing: all is done"), "\(again.error)")
        try place.perform("augment --show-recipe moco-v2 --set blur.probability=0.1 > mine.json")
        let changed = try place.run(pretrain(place, "a", data + crops).replacing(" pretrain ", with: " check "))
        #expect(changed.status == 0 && changed.error.contains("student.1"), "\(changed.error)")
        for (text, words) in [("{", "mine.json"), (nil, "there is no such file")] as [(String?, String)] {
            try text.map { try place.write($0, to: "mine.json") } ?? place.perform("rm mine.json")
            let broken = try place.run(pretrain(place, "b", data + crops))
            #expect(broken.status == 2 && broken.error.contains("CROPS") && broken.error.contains(words) && !place.exists("runs/b"), "\(broken.error)")
        }
    }

    @Test func `crops are the method's, or those that CROPS names, and embed is asked for what the method learns of them`() throws {
        let place = try Workplace.images()
        let data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test "
        func options(_ run: String, _ file: String) throws -> [Substring] { try String(decoding: place.bytes("runs/\(run)/options/\(file)"), as: UTF8.self).split(separator: "\n") }
        let swav = try place.run(pretrain(place, "a", "METHOD=swav EPOCHS=1 STUDENT_OPTIONS='--prototypes 8 --queue-epoch 0'"))
        try #require(swav.status == 0, "\(swav.error)")
        let views = try options("a", "student.augment")
        #expect(views.contains("2x16@0.14-1 6x8@0.05-0.14") && !views.contains("--size") && views.contains("swav"), "\(views)")
        #expect(try options("a", "student.begin").contains("swav") && options("a", "features.train").contains("16"))
        let seed = try place.run(place.make("b", data + "CROPS=small-patches EPOCHS=1"))
        try #require(seed.status == 0, "\(seed.error)")
        #expect(try options("b", "teacher.rows") == ["--view", "0", "--group", "1"])
        #expect(try options("b", "student.augment").contains { $0.hasPrefix("1x") && $0.contains("6x") })
        let disco = try place.run(place.make("c", data + "METHOD=disco EPOCHS=1 'CROPS=2x24@0.3-1'"))
        try #require(disco.status == 0, "\(disco.error)")
        #expect(try options("c", "teacher.rows") == ["--group", "0"] && options("c", "student.augment").contains("2x24@0.3-1"))
        let wrong = [
            ("METHOD=disco CROPS=small-patches", "CROPS=small-patches: has 2 groups where METHOD=disco learns from one"),
            ("METHOD=disco CROPS=3x24", "CROPS=3x24: has 3 views in group 0 where METHOD=disco learns from 2"),
            ("'CROPS=1x16 6x4'", "crops '1x16 6x4' of size 4: is too small"),
            ("CROPS=many", "--crops takes groups such as"),
            ("CROPS=small-patches TEACHER_COMMAND=cat", "gives one row per image, but METHOD=seed learns the embeddings of several views"),
        ]
        for (settings, words) in wrong {
            let result = try place.run(place.make("d", data + settings))
            #expect(result.status == 2 && result.error.contains(words) && !place.exists("runs/d"), "\(settings): \(result.error)")
        }
    }

    @Test func `bags are a stage of their own, which the student's epochs follow and nothing makes twice`() throws {
        let place = try Workplace.images(), data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test METHOD=bingo "
        func options(_ file: String) throws -> [Substring] { try String(decoding: place.bytes("runs/a/options/\(file)"), as: UTF8.self).split(separator: "\n") }
        let bingo = try place.run(place.make("a", data + "EPOCHS=1"))
        try #require(bingo.status == 0, "\(bingo.error)")
        #expect(try options("student.augment").suffix(4) == ["--bags", "bags.safetensors", "--batch", "16"] && options("teacher.rows") == ["--group", "1"])
        #expect(try !options("student.augment").contains("--views") && options("bags.augment").contains("evaluation"))
        let bags = try DocumentFile.read(place.path("runs/a/bags.safetensors"))
        #expect(bags.tensors["neighbours"]?.shape == [96, 5])
        let before = try place.times("a"), results = try place.results("a")
        let further = try place.run(place.make("a", data + "EPOCHS=2"))
        #expect(further.status == 0 && place.toDo(further)?.contains("bags") == false, "\(further.error)")
        #expect(try place.times("a")["bags.safetensors"] == before["bags.safetensors"] && place.results("a")["student.1.safetensors"] == results["student.1.safetensors"])
        // If it is lost, it is made again for an epoch that needs it, with the same bytes.
        try place.perform("rm runs/a/bags.safetensors")
        let again = try place.run(place.make("a", data + "EPOCHS=3"))
        #expect(again.status == 0 && place.toDo(again)?.contains("bags") == true, "\(again.error)")
        #expect(try place.results("a")["bags.safetensors"] == results["bags.safetensors"])
        for (settings, words) in [("'CROPS=2x16'", "METHOD=bingo makes its own views"), ("TEACHER_COMMAND=cat", "the embeddings of several views")] {
            let result = try place.run(place.make("d", data + settings))
            #expect(result.status == 2 && result.error.contains(words) && !place.exists("runs/d"), "\(settings): \(result.error)")
        }
    }

    @Test func `a SwAV with its prototypes behind its head is a teacher, and mixed images are asked for`() throws {
        let place = try Workplace.images(), data = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test "
        func options(_ run: String, _ file: String) throws -> [Substring] { try String(decoding: place.bytes("runs/\(run)/options/\(file)"), as: UTF8.self).split(separator: "\n") }
        let swav = try place.run(pretrain(place, "a", "METHOD=swav EPOCHS=1 STUDENT_OPTIONS='--prototypes 8'"))
        try #require(swav.status == 0, "\(swav.error)")
        try place.perform("convert-weights runs/a/student.1.safetensors --prototypes -q -o scored.safetensors")
        let taught = try place.run(place.make("b", data + "METHOD=swav-distillation TEACHER=$PWD/scored.safetensors EPOCHS=1"))
        try #require(taught.status == 0, "\(taught.error)")
        #expect(try options("b", "student.begin").starts(with: ["--network", "tiny-resnet10", "--head", "prototype-scores", "--embedding", "8"]) && options("b", "teacher.rows") == ["--logits"])
        // Scores are products of unit-length rows and unit-length prototypes.
        try place.perform("augment --data pictures/train --size 16 -q | embed --weights scored.safetensors --logits -q | embed --weights runs/a/student.1.safetensors -q -o both")
        let record = try #require(try place.read("both").records.first)
        let scores = try record.tensor("logits", .f32, shape: [nil, 8]).floats(), rows = try record.tensor("teacher", .f32, shape: [nil, nil]).floats()
        let prototypes = try #require(DocumentFile.read(place.path("runs/a/student.1.safetensors")).tensors["training.prototypes.1.weight"]).floats(), D = prototypes.count / 8
        for n in [0, 17] {
            for k in 0..<8 {
                var expected: Float = 0
                for d in 0..<D { expected += rows[n * D + d] * prototypes[k * D + d] }
                #expect(abs(scores[n * 8 + k] - expected) < 1e-4)
            }
        }
        // A student whose last layer is the teacher's.
        try place.perform("initialize -q --network tiny-resnet10 --head 'linear 32, batch-norm, relu, linear \(D)' --prototypes scored.safetensors -o own.safetensors")
        let own = try #require(DocumentFile.read(place.path("own.safetensors")).tensors["fc.4.weight"]).floats()
        #expect(own == prototypes)
        let wide = try place.run("initialize -q --network tiny-resnet10 --embedding 9 --prototypes scored.safetensors -o wide.safetensors")
        #expect(wide.status == 64 && wide.error.contains("give --embedding \(D)"), "\(wide.error)")
        for (line, status, words) in [
            ("convert-weights own.safetensors --prototypes -o x", 65, "has no prototypes"), ("initialize --network tiny-resnet10 --prototypes runs/a/student.1.safetensors -o x", 65, "convert-weights --prototypes"),
            ("convert-weights runs/a/student.1.safetensors --prototypes --backbone -o x", 64, "--prototypes"),
        ] as [(String, Int32, String)] {
            let result = try place.run(line)
            #expect(result.status == status && result.error.contains(words) && !place.exists("x"), "\(line): \(result.status) \(result.error)")
        }
        let mixed = try place.run(place.make("c", data + "METHOD=queue-kl EPOCHS=1"))
        try #require(mixed.status == 0, "\(mixed.error)")
        #expect(try options("c", "student.augment").contains("--mix-up") && options("c", "student.train").contains("queue-kl"))
        let several = try place.run(place.make("d", data + "METHOD=seed-teachers"))
        #expect(several.status == 2 && several.error.contains("METHOD"), "\(several.error)")
    }

    @Test func `a run that has had a teacher keeps it while another method does without`() throws {
        let place = try Workplace.images()
        try place.perform("initialize -q --network tiny-resnet10 --embedding 16 -o teacher.safetensors")
        let given = pretrain(place, "a", "METHOD=seed TEACHER=$PWD/teacher.safetensors EPOCHS=1").replacing(" pretrain ", with: " distill ")
        try #require(try place.run(given).status == 0)
        let before = try place.results("a")
        try #require(try place.run(pretrain(place, "a", "METHOD=moco-v2 EPOCHS=1")).status == 0)
        let back = try place.run(pretrain(place, "a", "METHOD=seed EPOCHS=1").replacing(" pretrain ", with: " distill "))
        #expect(back.status == 0 && back.error.contains("teacher.safetensors: tiny-resnet10"), "\(back.error)")
        #expect(try place.results("a") == before)
    }

    @Test func `labels that judge are not learnt from`() throws {
        let place = try Workplace.images()
        let result = try place.run(pretrain(place, "a", "METHOD=supervised-contrastive EPOCHS=1").replacing(" TEST=$PWD/pictures/test", with: ""))
        try #require(result.status == 0, "\(result.error)")
        let options = try String(decoding: place.bytes("runs/a/options/student.augment"), as: UTF8.self).split(separator: "\n")
        #expect(options.contains("--fold") && options.contains("1/2") && !place.exists("runs/a/options/teacher.embed"))
    }

    @Test func `what goes together in no way is told, and earlier names are known`() throws {
        let place = try Workplace.images()
        let wrong = [
            ("METHOD=seed", "METHOD=seed learns from a teacher; run make distill instead; pretrain takes moco-v2, supervised-contrastive"),
            ("TEACHER=x.safetensors", "TEACHER does not apply to METHOD=moco-v2"),
            ("TEACHER=$PWD/pictures/train METHOD=moco-v2", "TEACHER does not apply to METHOD=moco-v2, which learns without a teacher"),
            ("TEACHER_COMMAND='cat' METHOD=moco-v2", "TEACHER_COMMAND does not apply to METHOD=moco-v2"),
            ("METHOD=byool", "METHOD=byool: there is none of that name"),
            ("STUDENT_OBJECTIVE=seed", "there is no setting STUDENT_OBJECTIVE any more; it is METHOD now"),
        ]
        for (settings, words) in wrong {
            let result = try place.run(pretrain(place, "a", settings))
            #expect(result.status == 2 && result.error.contains(words) && !place.exists("runs"), "\(settings): \(result.error)")
        }
        let unused = try place.run(pretrain(place, "a", "METHOD=supervised-contrastive QUEUE=32 TEACHER_EPOCHS=3").replacing(" pretrain ", with: " check "))
        #expect(unused.error.contains("QUEUE does not apply to METHOD=supervised-contrastive") && unused.error.contains("TEACHER_EPOCHS has no effect"), "\(unused.error)")
        // A run of an earlier version.
        try #require(try place.run(place.make("b")).status == 0)
        let settings = try String(decoding: place.bytes("runs/b/settings"), as: UTF8.self)
        try Data(settings.replacing("METHOD=seed", with: "STUDENT_OBJECTIVE=seed").utf8).write(to: URL(filePath: place.path("runs/b/settings")))
        #expect(try place.toDo(place.run(place.make("b"))) == "nothing: all is done")
    }
}

extension Workplace {
    /// The images of a stream, as a string of index and bytes each.
    fileprivate func images(_ name: String) throws -> [[UInt8]] {
        let reader = try StreamReader(path(name))
        var images: [[UInt8]] = []
        while let record = try reader.next() {
            let tensor = try record.tensor("images", .u8, shape: [nil, nil, nil, nil, 3]), index = try record.tensor("index", .i64, shape: [nil]).integers()
            let bytes = tensor.withElements(as: UInt8.self) { Array($0) }, size = bytes.count / index.count
            images += index.enumerated().map { n, index in Array("\(index):".utf8) + bytes[n * size..<(n + 1) * size] }
        }
        return images
    }
}

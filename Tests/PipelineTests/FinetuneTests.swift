import Foundation
import Platform
import TensorStreams
import TestSupport
import Testing

/// `make finetune`: a trained network becomes a classifier.
struct FinetuneTests {
    private func finetune(_ place: Workplace, _ name: String, _ settings: String = "") -> String {
        """
            make --no-print-directory -C '\(Workplace.root)' finetune BUILD=no RUNS=$PWD/runs \(name.isEmpty ? "" : "NAME=\(name)") SIZE=16 BATCH=16 EPOCHS=2 \
            DATA=$PWD/pictures/train TEST=$PWD/pictures/test \(settings)
            """
    }

    /// With `seed.safetensors`, a network that stands for a trained one.
    private func place() throws -> Workplace {
        let place = try Workplace.images()
        try place.perform("initialize -q --network tiny-resnet10 --embedding 16 --seed 3 -o seed.safetensors")
        return place
    }

    private func options(_ place: Workplace, _ run: String, _ file: String) throws -> [Substring] { try place.text("runs/\(run)/options/\(file)").split(separator: "\n") }

    @Test func `a student becomes a classifier, is judged as one, names images, and teaches another`() throws {
        let place = try place()
        let first = try place.run(finetune(place, "a", "FROM=$PWD/seed.safetensors"))
        try #require(first.status == 0, "\(first.error)")
        #expect(first.error.contains("tiny-resnet10 by supervised, started from \(place.path("seed.safetensors")), 2 epochs"), "\(first.error)")
        let table = try place.text("runs/a/table.txt")
        #expect(table.contains("classifier top-1  k-NN top-1") && !table.contains("embedding") && table.contains("fine-tuning"), "\(table)")
        // The tools give the same result by hand.
        let words = try options(place, "a", "student.train").joined(separator: " ")
        try place.perform(
            """
            initialize -q --from seed.safetensors --classes 4 --seed 0 -o 0.safetensors
            for n in 0 1; do augment -q --data pictures/train --size 16 --seed 0 --drop-last --recipe linear-train --crop-scale 0.08,1 --batch 16 --epoch $n |
              train-step -q - \(words) --epochs 2 --student $n.safetensors -o $((n + 1)).safetensors; done
            convert-weights -q 2.safetensors -o student.safetensors; cmp student.safetensors runs/a/student.safetensors
            augment -q --data pictures/test --recipe evaluation --size 16 --paths | embed -q --weights student.safetensors --logits | evaluate predict -q -o predictions.csv
            evaluate accuracy -q runs/a/features/student.2.test.tensors.zst > accuracy.txt
            """)
        let lines = try place.text("predictions.csv").split(separator: "\n").dropFirst().map { $0.split(separator: ",") }
        // The fraction of images predicted to be in their folder's class equals the table's accuracy.
        let right = lines.count { $0[0].hasPrefix($0[2] + "/") }
        let told = try place.text("accuracy.txt")
        #expect(lines.count == 32 && told.contains("top-1 \(String(format: "%5.1f", 100 * Double(right) / 32)) %"), "\(told) \(right)")
        let again = try place.run(finetune(place, "a"))
        #expect(again.status == 0 && place.toDo(again) == "nothing: all is done", "\(again.error)")
        // Its classes are the data's, in the same order: it can teach with kd.
        let kd = try place.run(finetune(place, "b", "FROM=$PWD/seed.safetensors METHOD=kd TEACHER=$PWD/runs/a/student.safetensors"))
        try #require(kd.status == 0, "\(kd.error)")
        #expect(try options(place, "b", "teacher.rows") == ["--logits"] && place.text("runs/b/table.txt").contains("teacher "))
        // Another network is a different starting point.
        let other = try place.run("initialize -q --network tiny-resnet10 --embedding 16 --seed 4 -o seed.safetensors; " + finetune(place, "a"))
        #expect(other.status == 0 && place.toDo(other)?.hasPrefix("student.0, student.1 … student.2") == true || place.toDo(other)?.hasPrefix("student.0 … student.2") == true, "\(other.error)")
    }

    @Test func `a share of the labels is the same for training and judging, and a list is kept with the run`() throws {
        let place = try place()
        let share = try place.run(finetune(place, "a", "FROM=$PWD/seed.safetensors LABELS=0.25"))
        try #require(share.status == 0 && share.error.contains("24 images, 0.25 of each class; networks are evaluated with their labels too"), "\(share.error)")
        #expect(try options(place, "a", "student.augment").contains("--labels-fraction") && options(place, "a", "features.train").contains("--labels-fraction"))
        #expect(try !options(place, "a", "features.test").contains("--labels-fraction"))
        let judged = try place.read("runs/a/features/student.0.train.tensors.zst").records.flatMap { try $0.tensor("index", .i64, shape: [nil]).integers() }
        try place.perform("augment -q --data pictures/train --size 16 --labels-fraction 0.25 --seed 0 --epoch 1 -o views")
        let learnt = try place.read("views").records.flatMap { try $0.tensor("index", .i64, shape: [nil]).integers() }
        #expect(judged.count == 24 && judged == learnt.sorted())
        // Lists of the same images: 16 of the 24 and a missing one, then another 16.
        let names = try DatasetNames(place).names
        try place.write(judged.prefix(16).map { names[$0] + "\n" }.joined() + "gone.jpg\n", to: "list.txt")
        let listed = try place.run(finetune(place, "b", "FROM=$PWD/seed.safetensors LABELS=$PWD/list.txt"))
        try #require(listed.status == 0 && listed.error.contains("1 of the listed images is not in the data: 'gone.jpg'") && listed.error.contains("16 images of"), "\(listed.error)")
        #expect(try place.toDo(place.run(finetune(place, "b"))) == "nothing: all is done")
        try place.write(judged.suffix(16).map { names[$0] + "\n" }.joined(), to: "list.txt")
        let changed = try place.run(finetune(place, "b"))
        #expect(changed.status == 0 && place.toDo(changed)?.hasPrefix("student.1 … student.2, student, features") == true, "\(changed.error)")
    }

    @Test func `whatever is killed, finetune goes on to the same bytes`() throws {
        let place = try place()
        try place.perform("initialize -q --network tiny-resnet10 --classes 4 -o teacher.safetensors")
        let settings = "FROM=$PWD/seed.safetensors METHOD=kd TEACHER=$PWD/teacher.safetensors LABELS=0.5 EPOCHS=3"
        try #require(try place.run(finetune(place, "calm", settings)).status == 0)
        let expected = try place.results("calm")
        for round in 0..<8 {
            var random = Effort.random("finetune", round: round)
            let run = try place.start(finetune(place, "disturbed", settings))
            usleep(UInt32.random(in: 100_000..<1_500_000, using: &random))
            run.end()
            _ = run.wait()
            for (name, bytes) in try place.results("disturbed") { #expect(expected[name] == bytes, "\(Effort.place(round)): \(name)") }
        }
        let result = try place.run(finetune(place, "disturbed", settings + " THREADS=1"))
        try #require(result.status == 0, "\(result.error)")
        let found = try place.results("disturbed")
        #expect(found.keys.sorted() == expected.keys.sorted())
        for (name, bytes) in expected { #expect(found[name] == bytes, "\(name)") }
    }

    @Test func `a run's name is its own, and it begins with the student of the run on the same data`() throws {
        let place = try place()
        let none = try place.run(finetune(place, ""))
        #expect(none.status == 2 && none.error.contains("FROM is not given, but fine-tuning starts from a trained network; name a file of weights, or a run: FROM=runs/NAME") && !place.exists("runs"), "\(none.error)")
        try #require(try place.run(place.make("train")).status == 0)
        let before = try place.results("train")
        let result = try place.run(finetune(place, ""))
        #expect(result.status == 0 && result.error.contains("started from \(place.path("runs/train"))/student.safetensors") && place.exists("runs/train-finetuned/table.txt"), "\(result.error)")
        #expect(try place.results("train") == before && place.toDo(place.run(finetune(place, ""))) == "nothing: all is done")
        let taken = try place.run(finetune(place, "train"))
        #expect(taken.status == 2 && taken.error.contains("METHOD=seed trains no classifier; the run remembers it; give the fine-tuned run another NAME"), "\(taken.error)")
    }

    @Test func `what does not go together is told before anything is done`() throws {
        let place = try place()
        try place.perform(
            """
            mkdir turned; cp -r pictures/train turned; cd turned/train; mkdir x; for t in *.tar; do tar -xf $t -C x; done; rm *.tar; cd x; n=0; for c in $(ls -r); do mv $c ../$((n += 1))$c; done
            cd ..; rmdir x; cd ../..
            augment -q --data turned/train --size 16 --batch 16 -o views; initialize -q --from seed.safetensors --classes 4 -o 0.safetensors
            train-step -q --objective supervised --student 0.safetensors views -o turned.safetensors
            initialize -q --network tiny-resnet10 --classes 5 -o five.safetensors; initialize -q --network tiny-resnet10 --embedding 0 -o none.safetensors
            """)
        let from = "FROM=$PWD/seed.safetensors "
        let wrong = [
            (from + "METHOD=seed TEACHER=$PWD/seed.safetensors", "METHOD=seed trains no classifier; finetune takes kd, supervised"),
            (from + "METHOD=kd TEACHER=$PWD/five.safetensors", "DATA has 4, and the teacher's rows have 5 numbers"),
            (from + "METHOD=kd TEACHER=$PWD/none.safetensors", "the teacher has no classifier; name a TEACHER that is a classifier of the images' classes, as make finetune trains one"),
            (from + "METHOD=kd TEACHER=$PWD/turned.safetensors", "METHOD=kd learns logits of the images' classes: class 0 of TEACHER is "),
            (from + "METHOD=kd", "the teacher has no classifier"),
            (from + "STUDENT=resnet18", "STUDENT=resnet18: FROM="), ("FROM=$PWD/missing", "FROM=\(place.path("missing")): cannot open it"), ("FROM=$PWD/pictures/train", "pictures/train"),
            (from + "LABELS=0", "LABELS=0: a share must be above 0 and at most 1"), (from + "LABELS=$PWD/missing", "missing: cannot open it"),
            (from + "LABELS=0.1", "BATCH=16: there are 8 images to learn from; take BATCH=8 or less"),
        ]
        for (settings, words) in wrong {
            let result = try place.run(finetune(place, "a", settings))
            #expect(result.status == 2 && result.error.contains(words) && !place.exists("runs/a"), "\(settings): \(result.error)")
        }
        let unused = try place.run(place.make("b", "DATA=$PWD/pictures/train TEACHER=$PWD/seed.safetensors LABELS=0.1"))
        #expect(unused.status == 2 && unused.error.contains("LABELS=0.1 does not apply to METHOD=seed, which learns without labels"), "\(unused.error)")
        // DATA without classes has no labels.
        try place.perform("mkdir flat; cp turned/train/*/*.jpg flat")
        let flat = try place.run(finetune(place, "c", from).replacing("DATA=$PWD/pictures/train", with: "DATA=$PWD/flat"))
        #expect(flat.status == 2 && flat.error.contains("has no labels and METHOD=supervised needs several classes"), "\(flat.error)")
        // Any method can start from a trained network.
        let seed = try place.run(place.make("d", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/seed.safetensors FROM=$PWD/seed.safetensors EPOCHS=1"))
        #expect(seed.status == 0, "\(seed.error)")
        #expect(try options(place, "d", "student.begin").starts(with: ["--from", "from.safetensors", "--embedding", "16"]))
    }

    /// The names of the training images in order.
    private struct DatasetNames {
        let names: [String]

        init(_ place: Workplace) throws {
            try place.perform("augment -q --data pictures/train --recipe evaluation --size 16 --paths -o named")
            names = try place.read("named").records.flatMap { record -> [String] in
                let paths = try record.tensor("path", .u8, shape: [nil, nil]), L = paths.shape[1], bytes = paths.withBytes { [UInt8]($0) }
                return stride(from: 0, to: bytes.count, by: L).map { String(decoding: bytes[$0..<$0 + L].filter { $0 != 0 }, as: UTF8.self) }
            }
        }
    }
}

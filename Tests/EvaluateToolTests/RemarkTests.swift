import Foundation
import TensorStreams
import TestSupport
import Testing

/// evaluate's remarks on features and data sets whose numbers mislead.
struct RemarkTests {
    /// Runs both evaluations; returns each one's messages and JSON.
    private func evaluate(_ place: Workplace, train: String = "train", test: String = "test") throws -> [(words: String, json: JSON)] {
        try ["knn --k 5", "linear"].map { command in
            let result = try place.run("evaluate \(command) --train \(train) --test \(test) -o result.json")
            try #require(result.status == 0, "\(command): \(result.error)")
            return (result.error, try JSON(parsing: try place.text("result.json")))
        }
    }

    private let eight = (0..<8).map { "class \($0)" }

    private func place(_ change: (Int, inout TensorDocument) -> Void = { _, _ in }) throws -> Workplace {
        let place = try Workplace()
        try place.stream("train", samples: 96, classes: eight, seed: 1, change: change) { Int32($0 % 8) }
        try place.stream("test", samples: 64, classes: eight, seed: 2, change: change) { Int32($0 % 8) }
        return place
    }

    /// Replaces a record's features by `value` of the sample and the dimension.
    private func features(_ value: @escaping (Int, Int) -> Float) -> (Int, inout TensorDocument) -> Void {
        { number, record in
            let rows = record.tensors["label"]?.count ?? 0
            record.tensors["features"] = Tensor(f32: (0..<rows * 8).map { value(number * 16 + $0 / 8, $0 % 8) }, shape: [rows, 8])
        }
    }

    @Test func `features and sets as they should be have no remark`() throws {
        for (words, json) in try evaluate(try place()) {
            #expect(!words.contains("collapsed") && !words.contains("training set") && json["remarks"]?.asArray == [], "\(words)")
            #expect(json["test_samples_in_train"]?.asInteger == 0 && json["test_spread"]?["constant_dimensions"]?.asInteger == 0)
            #expect(json["results"]?.asArray?.first?["top5"]?.asNumber != nil)
            let rank = try #require(json["test_spread"]?["effective_rank"]?.asNumber)
            #expect(rank > 5 && rank <= 8)
        }
    }

    @Test func `features that are all alike are told`() throws {
        let same = "all 64 are the same", alike = "all 64 agree to a thousandth of their size"
        let ways: [(words: String, value: (Int, Int) -> Float)] = [
            (same, { _, _ in 0.5 }), (same, { _, _ in 0 }), (same, { _, d in Float(d) }), (alike, { n, d in 1 + 1e-5 * Float((n * 7 + d) % 5) }),
        ]
        for (how, value) in ways {
            for (words, json) in try evaluate(try place(features(value))) {
                #expect(words.contains("evaluate: the test samples' features have collapsed: \(how), ") && !words.contains("the training samples'"), "\(words)")
                #expect(words.contains(", so accuracies mean almost nothing; look at the training log"))
                #expect(json["train_spread"]?["effective_rank"] == .null && json["remarks"]?.asArray?.isEmpty == false && json["test_spread"]?["effective_rank"] == .null)
                #expect(!words.contains("training set"))
            }
        }
    }

    @Test func `a training set whose features have collapsed is told, with a test set whose have not`() throws {
        let place = try Workplace()
        for (value, words) in [(0, "all 96 are the same"), (0.5, "all 96 are the same")] as [(Float, String)] {
            try place.stream("train", samples: 96, classes: eight, seed: 1, change: features { _, _ in value }) { Int32($0 % 8) }
            try place.stream("test", samples: 64, classes: eight, seed: 2, label: { Int32($0 % 8) })
            for (said, json) in try evaluate(place) {
                #expect(said.contains("the training samples' features have collapsed: \(words)") && !said.contains("the test samples'"), "\(said)")
                #expect(json["test_spread"]?["effective_rank"]?.asNumber != nil)
            }
        }
    }

    @Test func `features on a line, and dimensions that never change, are told`() throws {
        let line = features { n, d in Float((n * 37) % 64) * (d % 2 == 0 ? 1 : -0.5) + 3 }
        for (words, _) in try evaluate(try place(line)) { #expect(words.contains("features have collapsed: they lie on one line (effective rank 1.0 of 8)"), "\(words)") }
        for (words, json) in try evaluate(try place(features { n, d in d == 3 ? Float((n * 37) % 64) : 2 })) {
            #expect(words.contains("they lie on one line") && json["test_spread"]?["constant_dimensions"]?.asInteger == 7, "\(words)")
        }
        // With at most three classes one direction may be all that is needed.
        let place = try Workplace()
        try place.stream("train", samples: 96, seed: 1, change: line)
        try place.stream("test", samples: 64, seed: 2, change: line)
        for (words, _) in try evaluate(place) { #expect(!words.contains("collapsed"), "\(words)") }
    }

    @Test func `most dimensions constant is told, also with enough left`() throws {
        let place = try Workplace()
        for (name, seed) in [("train", 1), ("test", 2)] {
            try place.stream(name, samples: 64, dimension: 64, classes: eight, seed: seed) { _, record in
                guard let values = try? record.tensors["features"]?.floats() else { return }
                record.tensors["features"] = Tensor(f32: values.enumerated().map { $0 % 64 < 6 ? $1 : 0 }, shape: [16, 64])
            } label: { Int32($0 % 8) }
        }
        for (words, _) in try evaluate(place) { #expect(words.contains("features have collapsed: 58 of 64 dimensions are the same in all of them"), "\(words)") }
    }

    @Test func `test samples that are in the training set are counted`() throws {
        let place = try place()
        for (words, json) in try evaluate(place, test: "train") {
            #expect(words.contains("evaluate: 96 of the 96 test samples are also in the training set (identical features)"), "\(words)")
            #expect(json["test_samples_in_train"]?.asInteger == 96)
        }
        // Three of the training samples, as another batch size may round them. Each may be twice in the training set,
        // which counts once.
        let known = try place.read("train").records[2].tensors["features"]?.floats() ?? []
        try place.stream("some", samples: 64, classes: eight, seed: 2) { number, record in
            guard number == 1, var values = try? record.tensors["features"]?.floats() else { return }
            for n in 4..<7 { for d in 0..<8 { values[n * 8 + d] = known[n * 8 + d] * (1 + 3e-6 * Float(d % 3 - 1)) } }
            record.tensors["features"] = Tensor(f32: values, shape: [16, 8])
        } label: { Int32($0 % 8) }
        let (header, records) = try place.read("train")
        let writer = try StreamWriter(place.path("twice"), header: header)
        for record in records + records { try writer.write(record) }
        try writer.commit()
        for train in ["train", "twice"] {
            for (words, json) in try evaluate(place, train: train, test: "some") {
                #expect(words.contains("3 of the 64 test samples are also in the training set") && json["test_samples_in_train"]?.asInteger == 3, "\(words)")
            }
        }
        // A sample that is only similar to another does not count as contained, but is reported.
        try place.stream("near", samples: 64, classes: eight, seed: 2) { number, record in
            guard number == 1, var values = try? record.tensors["features"]?.floats() else { return }
            for n in 4..<7 { for d in 0..<8 { values[n * 8 + d] = known[n * 8 + d] * (1 + 3e-3 * Float(d % 3 - 1)) } }
            record.tensors["features"] = Tensor(f32: values, shape: [16, 8])
        } label: { Int32($0 % 8) }
        for (words, json) in try evaluate(place, test: "near") {
            #expect(json["test_samples_in_train"]?.asInteger == 0)
            #expect(json["test_samples_near_train"]?.asInteger == 3 && words.contains("evaluate: 3 of the 64 test samples are almost equal to a training sample"), "\(words)")
            let pairs = json["near_duplicates"]?.asArray ?? []
            #expect(Set(pairs.compactMap { $0["test"]?.asInteger }) == [20, 21, 22] && Set(pairs.compactMap { $0["train"]?.asInteger }) == [36, 37, 38], "\(pairs)")
        }
        // However few neighbours vote.
        let few = try place.run("evaluate knn --train train --test near --k 1 --vote majority")
        #expect(few.status == 0 && few.error.contains("3 of the 64 test samples are almost equal") && few.output.hasPrefix("k-NN top-1") && few.output.contains("(k=1, cosine, majority"), "\(few.error)")
        let named = try place.run("evaluate knn --train train --test near --protocol dino --k 3 -q")
        #expect(named.output.contains("(dino with another --k: k=3, cosine"), "\(named.output)")
        // As different as images usually are: none is reported.
        for (words, json) in try evaluate(place) {
            #expect(json["test_samples_near_train"]?.asInteger == 0 && !words.contains("almost equal"), "\(words)")
        }
    }

    // A third of the test images is in the training set, three times each, and the set holds ten views of everything.
    @Test func `copies do not hide each other, nor do views`() throws {
        let place = try Workplace(), dimension = 12
        try place.stream("test", samples: 90, dimension: dimension, classes: eight, seed: 2, label: { Int32($0 % 8) })
        let test = try place.read("test").records.flatMap { try $0.tensors["features"]?.floats() ?? [] }
        func shaken(_ values: [Float], _ seed: Int) -> [Float] { zip(values, formula("noise \(seed)", values.count)).map { $0 * (1 + 3e-3 * $1) } }
        let copies = (0..<90).flatMap { copy -> [Float] in
            let start = copy / 3 * dimension
            return shaken(Array(test[start..<start + dimension]), copy)
        }
        let images = copies + formula("others", 160 * dimension).map { $0 * 2 }
        for views in [1, 10] {
            let writer = try StreamWriter(place.path("train"), header: try place.read("test").header)
            for view in 0..<views {
                try writer.write(TensorDocument(tensors: [
                    "features": Tensor(f32: view == 0 ? images : shaken(images, 1_000 + view), shape: [250, dimension]), "label": Tensor(i32: (0..<250).map { Int32($0 % 8) }, shape: [250]),
                    "index": Tensor(i64: (0..<250).map(Int64.init), shape: [250]),
                ]))
            }
            try writer.commit()
            for command in ["knn", "linear"] {
                let json = try JSON(parsing: place.run("evaluate \(command) --train train --test test -q -o -").output)
                #expect(json["test_samples_near_train"]?.asInteger == 30, "\(command), \(views) views")
            }
        }
    }

    // Of 300 samples on a sphere a dozen lie far closer than usual to one of 400.
    @Test func `images that lie close by chance, in features of few dimensions, are no near-duplicates`() throws {
        let place = try Workplace()
        try place.stream("train", samples: 400, dimension: 3, classes: eight, seed: 1, label: { Int32($0 % 8) })
        try place.stream("test", samples: 300, dimension: 3, classes: eight, seed: 2, label: { Int32($0 % 8) })
        for (words, json) in try evaluate(place) { #expect(json["test_samples_near_train"]?.asInteger == 0 && !words.contains("almost equal"), "\(words)") }
    }

    // The checks of the features, for copies among them and so on, must not change them.
    @Test(arguments: ["", "--solver sgd --epochs 3", "--normalize none", "--normalize unit-standard"])
    func `samples that are learnt from are judged as they were learnt, whatever their length`(_ options: String) throws {
        let place = try Workplace()
        try place.stream("rows", samples: 96) { _, record in
            guard var values = try? record.tensors["features"]?.floats() else { return }
            for n in 0..<16 { for d in 0..<8 { values[n * 8 + d] *= Float(1 + 20 * (n % 3)) } }
            record.tensors["features"] = Tensor(f32: values, shape: [16, 8])
        }
        let json = try JSON(parsing: place.run("evaluate linear --train rows --test rows \(options) -q -o -").output)
        let (test, train) = (json["results"]?.asArray?.first?["top1"]?.asNumber, json["training_set"]?["top1"]?.asNumber)
        #expect(test != nil && test == train, "\(test ?? -1) where the same samples have \(train ?? -1)")
    }

    @Test func `images without any feature are not taken for one another`() throws {
        let place = try place { number, record in
            guard number == 0, var values = try? record.tensors["features"]?.floats() else { return }
            for d in 0..<16 { values[d] = 0 }
            record.tensors["features"] = Tensor(f32: values, shape: [16, 8])
        }
        for (words, json) in try evaluate(place) {
            #expect(json["test_samples_in_train"]?.asInteger == 0 && words.contains("samples are all zeros, and equally near to every other sample"), "\(words)")
        }
        let quality = try place.run("evaluate quality train")
        #expect(quality.error.contains("2 of the 96 given samples are all zeros") && !quality.output.contains("uniformity"), "\(quality.output)\(quality.error)")
    }

    @Test(arguments: [2, 3, 5])
    func `top-5 of five classes or fewer is left out, and that is said`(classes: Int) throws {
        let place = try Workplace()
        // The header may name more classes than occur.
        for (name, seed) in [("train", 1), ("test", 2)] { try place.stream(name, samples: 64, classes: eight, seed: seed, label: { Int32($0 % classes) }) }
        for (words, json) in try evaluate(place) {
            #expect(words.contains("evaluate: there are \(classes) classes, so top-5 is meaningless and is left out"))
            #expect(json["results"]?.asArray?.allSatisfy { $0["top5"] == .null && $0["top1"]?.asNumber != nil } == true)
        }
        let text = try place.run("evaluate knn --k 5 --train train --test test -q; evaluate linear --train train --test test -q -o linear.json")
        #expect(text.status == 0 && !text.output.contains("top-5") && text.output.contains("linear top-1 "))
        let table = try place.run("evaluate table --row student=linear.json")
        #expect(table.status == 0 && table.output.contains("linear top-1") && !table.output.contains("linear top-5"), "\(table.error)")
    }

    @Test func `a training set of one class is told`() throws {
        let place = try Workplace()
        for (name, seed) in [("train", 1), ("test", 2)] { try place.stream(name, classes: ["all"], seed: seed, label: { _ in 0 }) }
        for (words, json) in try evaluate(place) {
            #expect(words.contains("evaluate: all training samples belong to one class, so no accuracy depends on the features"))
            #expect(json["results"]?.asArray?.first?["top1"]?.asNumber == 100)
        }
    }

    @Test func `classes that the training set lacks are named, three of them, and counted`() throws {
        let place = try place()
        try place.stream("few", samples: 96, classes: ["class 0", "class 5"], seed: 1, label: { Int32($0 % 2) })
        try place.stream("others", samples: 96, classes: ["ant", "bee"], seed: 1, label: { Int32($0 % 2) })
        for command in ["knn", "linear"] {
            let few = try place.run("evaluate \(command) --train few --test test")
            #expect(few.status == 65 && few.lines.count == 1)
            #expect(few.error.contains("evaluate: test: holds classes 'class 1', 'class 2', 'class 3' and 3 more, which few lacks (48 of 64 samples); train and test must come from the same classes"), "\(few.error)")
            let others = try place.run("evaluate \(command) --train others --test test")
            #expect(others.status == 65 && others.error.contains("and 5 more, which others lacks (64 of 64 samples); they have no class in common: are both laid out as class/name.jpg?"), "\(others.error)")
        }
    }
}

import Foundation
import TensorStreams
import TestSupport
import Testing

struct EvaluateTests {
    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.stream("train", samples: 90, seed: 1)
        try place.stream("test", samples: 45, seed: 2)
        return place
    }

    private static let knn = "evaluate knn --train train --test test"
    private static let linear = "evaluate linear --train train --test test"

    @Test(arguments: ["", "knn", "linear", "accuracy", "quality", "neighbours", "predict", "table"])
    func `help shows an example and succeeds`(command: String) throws {
        let result = try Workplace().run("evaluate \(command) --help")
        #expect(result.status == 0 && result.error.isEmpty)
        #expect(result.output.contains("Example:") && result.output.contains("See also:"))
    }

    @Test(arguments: [
        "", "guess", "knn", "knn --train train", "knn --train train --test test --k 0", "knn --train train --test test --k 1,,2",
        "knn --train train --test test --k 5000", "knn --train train --test test --temperature 0", "knn --train train --test test --temperature nan",
        "knn --train - --test -", "knn --train train --test test --metric euclid", "linear --train train --test test --solver newton",
        "linear --train train --test test --penalty -1", "knn --train train --test test --protocol mine", "knn --train train --test test --vote most",
        "knn --train train --test test --vote majority --temperature 1", "linear --train train --test test --protocol mine", "linear --train train --test test --epochs 4",
        "linear --train train --test test --protocol swav --factor 0.5", "linear --train train --test test --batch 0", "linear --train train --test test --momentum 1",
        "linear --train train --test test --tolerance 0", "linear --train train --test test --epochs 0", "table", "table --row teacher", "table --row =a",
        "table --k 0 --file a=b", "knn --train train --test test --threads 0",
    ])
    func `a wrong command line is 64`(arguments: String) throws {
        let result = try place().run("evaluate \(arguments)")
        #expect(result.status == 64 && result.output.isEmpty)
        #expect(result.error.hasPrefix("evaluate: ") && result.error.contains("--help'"))
    }

    @Test func `k-NN names the protocol beside every number`() throws {
        let result = try place().run("\(Self.knn) --k 1,10 --temperature 0.07,0.5 -q")
        #expect(result.status == 0 && result.error.isEmpty)
        let lines = result.output.split(separator: "\n")
        #expect(lines.count == 6)
        #expect(lines.allSatisfy { $0.hasPrefix("k-NN top-1 ") && !$0.contains("top-5") && $0.hasSuffix("90 train, 45 test, features 8-d)") })
        #expect(lines[3].contains("(k=10, cosine, majority, ") && lines[5].contains("(k=10, cosine, exp(cos/0.5), "))
    }

    @Test func `k-NN writes every number with its protocol and where the features come from`() throws {
        let place = try place()
        #expect(try place.run("\(Self.knn) --k 1,10 -o knn.json").status == 0)
        let json = try JSON(parsing: try place.text("knn.json"))
        #expect(json["evaluation"]?.asString == "knn" && json["protocol"]?["metric"]?.asString == "cosine")
        #expect(json["protocol"]?["classes"]?.asInteger == 3 && json["protocol"]?["classes_matched_by"]?.asString == "name")
        let results = try #require(json["results"]?.asArray)
        #expect(results.count == 4)
        for result in results {
            let (percent, correct) = (try #require(result["top1"]?.asNumber), try #require(result["correct_top1"]?.asInteger))
            #expect(abs(percent - 100 * Double(correct) / 45) < 1e-9 && percent > 50)
            // With three classes, every class with a neighbour is among the top five.
            #expect(result["top5"] == .null && result["correct_top5"] == .null)
            #expect(result["protocol"]?.asString?.contains("90 train, 45 test") == true)
        }
        #expect(results[2]["k"]?.asInteger == 10 && results[2]["vote"]?.asString == "majority")
        #expect(json["remarks"]?.asArray == ["there are 3 classes, so top-5 is meaningless and is left out"])
        #expect(json["train"]?["provenance"]?.asArray == ["augment 0.1.0 --data d.tar --seed 1", "embed 0.1.0"])
        #expect(json["train"]?["file"] == nil && json["test"]?["images"]?.asInteger == 45)
    }

    @Test(arguments: [knn, linear, linear + " --solver sgd --epochs 12 --learning-rate 1"])
    func `results do not depend on the number of threads, and are the same again`(command: String) throws {
        let place = try Workplace()
        try place.stream("train", samples: 1_700, record: 100, dimension: 33, seed: 1)
        try place.stream("test", samples: 700, record: 64, dimension: 33, seed: 2)
        for threads in [1, 2, 5] { #expect(try place.run("\(command) --threads \(threads) -o \(threads).json > \(threads).text").status == 0) }
        #expect(try place.bytes("1.json") == place.bytes("2.json") && place.bytes("1.json") == place.bytes("5.json"))
        #expect(try place.bytes("1.text") == place.bytes("2.text"))
    }

    @Test func `the size of the records does not matter`() throws {
        let place = try Workplace()
        try place.stream("test", seed: 2)
        for record in [1, 7, 1000] {
            try place.stream("train", samples: 300, record: record, seed: 1)
            #expect(try place.run("\(Self.knn) -o \(record).json").status == 0)
        }
        #expect(try place.bytes("1.json") == place.bytes("7.json") && place.bytes("1.json") == place.bytes("1000.json"))
    }

    @Test func `a stream on standard input and another name of the tensor do as well`() throws {
        let place = try place()
        try place.stream("other", samples: 90, seed: 1) { _, record in record.tensors["pooled"] = record.tensors.removeValue(forKey: "features") }
        try place.stream("test2", samples: 45, seed: 2) { _, record in record.tensors["pooled"] = record.tensors.removeValue(forKey: "features") }
        let plain = try place.run("cat train | evaluate knn --train - --test test")
        let named = try place.run("evaluate knn --train other --test test2 --tensor pooled")
        #expect(plain.status == 0 && named.status == 0)
        #expect(plain.output == named.output.replacing("pooled 8-d", with: "features 8-d"))
    }

    @Test func `half precision serves as well`() throws {
        let place = try place()
        try place.stream("half", samples: 90, seed: 1) { _, record in record.tensors["features"] = try? record.tensors["features"]?.converted(to: .f16) }
        let (plain, half) = (try place.run("\(Self.knn) -q"), try place.run("evaluate knn --train half --test test -q"))
        #expect(half.status == 0 && plain.output.contains("k-NN top-1") && half.output == plain.output, "\(half.output) \(plain.output)")
    }

    @Test(arguments: [
        ("seed", "seed", ["k=10, cosine, majority"]), ("simreg", "simreg", ["k=1, cosine, majority", "k=20, cosine, majority"]), ("instdisc", "instdisc", ["k=90, cosine, exp(cos/0.07)"]),
        ("dino --temperature 0.1", "dino with another --temperature", ["k=10, cosine, exp(cos/0.1)", "k=20, cosine, exp(cos/0.1)", "k=90, cosine, exp(cos/0.1)"]),
        ("seed --vote weighted --k 3", "seed with another --k, --vote", ["k=3, cosine, exp(cos/0.07)"]), ("dino --vote majority --k 5", "dino with another --k, --vote", ["k=5, cosine, majority"]),
    ])
    func `a paper's k and votes hold where an option is not given`(_ options: String, _ paper: String, _ expected: [String]) throws {
        let place = try place(), result = try place.run("\(Self.knn) --protocol \(options) -q -o knn.json")
        let names = result.output.split(separator: "\n").map { $0.split(separator: "(", maxSplits: 1)[1].components(separatedBy: ", 90 train")[0] }
        #expect(result.status == 0 && names == expected.map { "\(paper): \($0)" })
        let json = try JSON(parsing: place.text("knn.json"))
        #expect(json["protocol"]?["paper"]?.asString == paper)
        #expect(json["by_class"]?["classifier"]?.asString == expected[0] && json["by_class"]?["classes"] == ["ant", "bee", "cat"])
        let correct = try #require(json["by_class"]?["correct"]?.asArray).compactMap(\.asInteger)
        #expect(correct.reduce(0, +) == json["results"]?.asArray?.first?["correct_top1"]?.asInteger)
        #expect( json["by_class"]?["samples"] == [15, 15, 15] && json["by_class"]?["correct_samples"]?.asString?.count == 12)
    }

    @Test func `classes numbered apart are matched by name`() throws {
        let place = try place()
        // Class 0 in `test` is 'ant'; here it is 'cat', so 2, 1, 0 stand for ant, bee, cat.
        try place.stream("turned", samples: 45, classes: ["cat", "bee", "ant"], seed: 2) { _, record in
            guard let labels = try? record.tensors["label"]?.integers() else { return }
            record.tensors["label"] = Tensor(i32: labels.map { Int32(2 - $0) }, shape: [labels.count])
        }
        let (plain, turned) = (try place.run("\(Self.knn) -q"), try place.run("evaluate knn --train train --test turned -q"))
        #expect(plain.status == 0 && plain.output == turned.output)
    }

    @Test func `k above the training samples is said, and named as what it was`() throws {
        let result = try place().run("\(Self.knn) --k 200,90")
        #expect(result.status == 0)
        #expect(result.error.contains("k = 200 is more than the 90 training samples"))
        #expect(result.output.split(separator: "\n").count == 2 && result.output.contains("(k=90, "))
    }

    @Test func `the linear classifier learns, and says how`() throws {
        let place = try place()
        let convex = try place.run("\(Self.linear) -o convex.json")
        #expect(convex.status == 0)
        #expect(convex.output.hasPrefix("linear top-1 ") && convex.output.contains("convex, logistic regression by L-BFGS, L2 ") && convex.output.contains("standardised features 8-d, 90 train, 45 test"))
        let stochastic = try place.run("\(Self.linear) --solver sgd --learning-rate 1 --epochs 20 --milestones 12,16 --seed 3 -o sgd.json")
        #expect(stochastic.status == 0)
        #expect(stochastic.output.contains("SGD, lr 1·256/256, momentum 0.9, wd 0, 20 epochs of stored features, ×0.1 at 12, 16, fc N(0, 0.01), seed 3, raw features 8-d"))
        for name in ["convex.json", "sgd.json"] {
            let json = try JSON(parsing: try place.text(name))
            #expect(try #require(json["results"]?.asArray?.first?["top1"]?.asNumber) > 60)
            #expect(json["results"]?.asArray?.first?["top5"] == .null)
            #expect(json["training_set"]?["samples"]?.asInteger == 90)
            #expect(json["train"]?["provenance"]?.asArray?.count == 2)
        }
        let losses = try #require(try JSON(parsing: try place.text("sgd.json"))["protocol"]?["losses"]?.asArray)
        #expect(losses.count == 20)
        #expect(try #require(losses.last?.asNumber) < #require(losses.first?.asNumber))
    }

    @Test func `views of one image are all trained on and counted as one image`() throws {
        let place = try place()
        try place.stream("views", samples: 90, seed: 1) { number, record in
            guard let items = try? record.tensors["index"]?.integers() else { return }
            record.tensors["index"] = Tensor(i64: items.map { Int64($0 / 2) }, shape: [items.count])
        }
        #expect(try place.run("evaluate linear --train views --test test -o linear.json").status == 0)
        let json = try JSON(parsing: try place.text("linear.json"))
        #expect(json["train"]?["samples"]?.asInteger == 90 && json["train"]?["images"]?.asInteger == 45)
    }

    @Test func `JSON on standard output takes the place of the text`() throws {
        let place = try place()
        #expect(try place.run("\(Self.knn) -o knn.json").status == 0)
        #expect(try place.run("\(Self.knn) -q -o -").output == place.text("knn.json"))
    }
}

import Foundation
import TensorStreams
import TestSupport
import Testing

/// `evaluate accuracy` and `evaluate predict`.
struct ClassifierTests {
    /// A stream `logits` of the golden logits in three records, whose header names its twelve classes.
    private func place(classes: [String]? = nil, logitClasses: Bool = true, change: (inout TensorDocument) -> Void = { _ in }) throws -> Workplace {
        let place = try Workplace(), golden = try Golden("accuracy")
        let logits = try golden.floats("logits"), labels = try golden.integers("labels"), C = 12
        var metadata = ["classes": JSON.array((classes ?? Self.names).map { .string($0) }).text]
        if logitClasses { metadata["logit_classes"] = JSON.array(Self.names.map { .string($0) }).text }
        let writer = try StreamWriter(place.path("logits"), header: StreamHeader(metadata: metadata))
        for start in stride(from: 0, to: labels.count, by: 90) {
            let items = start..<min(labels.count, start + 90)
            var record = TensorDocument(tensors: [
                "logits": Tensor(f32: Array(logits[items.lowerBound * C..<items.upperBound * C]), shape: [items.count, C]),
                "label": Tensor(i32: items.map { Int32(labels[$0]) }, shape: [items.count]), "index": Tensor(i64: items.map { Int64($0) }, shape: [items.count]),
            ])
            change(&record)
            try writer.write(record)
        }
        try writer.commit()
        return place
    }

    private static let names = (0..<12).map { "class \($0)" }

    @Test func `top-1 and top-5 are numpy's, ties too`() throws {
        let place = try place(), correct = try Golden("accuracy").integers("correct")
        let result = try place.run("evaluate accuracy logits -o result.json")
        #expect(result.output == "classifier top-1  20.5 %  top-5  61.5 %  (the network's own logits of 12 classes, 200 test)\n", "\(result.output)\(result.error)")
        let json = try JSON(parsing: try place.text("result.json")), first = try #require(json["results"]?.asArray?.first)
        #expect([first["correct_top1"], first["correct_top5"]].map { $0?.asInteger } == correct && first["samples"]?.asInteger == 200)
        #expect(json["evaluation"]?.asString == "classifier" && json["protocol"]?["classes_matched_by"]?.asString == "name" && json["remarks"]?.asArray == [])
        // In a table.
        let table = try place.run("evaluate table --row student=result.json")
        #expect(table.output.contains("classifier top-1  classifier top-5\n") && table.output.contains("classifier: the network's own logits of 12 classes, 200 test"), "\(table.output)\(table.error)")
    }

    @Test func `classes are matched by name, and samples without a label are left out`() throws {
        // The images' classes in another order, with their labels.
        let turned = try place(classes: Self.names.reversed()) { record in
            if let labels = try? record.tensors["label"]?.integers() { record.tensors["label"] = Tensor(i32: labels.map { Int32(11 - $0) }, shape: [labels.count]) }
        }
        #expect(try turned.run("cat logits | evaluate accuracy").output == place().run("evaluate accuracy logits").output)
        let some = try place { record in
            if let labels = try? record.tensors["label"]?.integers() { record.tensors["label"] = Tensor(i32: labels.map { $0 == 3 ? -1 : Int32($0) }, shape: [labels.count]) }
        }
        let without = try Golden("accuracy").integers("labels").count { $0 == 3 }
        #expect(try some.run("evaluate accuracy logits").output.contains(", \(200 - without) test"))
        // Classifiers without class names go by number.
        #expect(try place(logitClasses: false).run("evaluate accuracy logits").output == place().run("evaluate accuracy logits").output)
    }

    @Test func `images of classes that a classifier does not know are told`() throws {
        let result = try place(classes: Self.names.dropLast() + ["else"]).run("evaluate accuracy logits")
        #expect(result.status == 65 && result.error.contains("logits: has images of classes that the classifier does not know: 'else'"), "\(result.error)")
        let more = try place(classes: Self.names + ["x"], logitClasses: false) { $0.tensors["label"] = Tensor(i32: [Int32](repeating: 12, count: $0.tensors["label"]?.shape[0] ?? 0), shape: $0.tensors["label"]?.shape ?? []) }
        let beyond = try more.run("evaluate accuracy logits")
        #expect(beyond.status == 65 && beyond.error.contains("has label 12, but the classifier has 12 classes"), "\(beyond.error)")
    }

    @Test func `predictions are numpy's classes and probabilities, as CSV and as JSON lines`() throws {
        let place = try place(), golden = try Golden("accuracy")
        let classes = try golden.integers("classes"), probabilities = try golden.doubles("probabilities")
        let csv = try place.run("evaluate predict --top 3 -q logits")
        let lines = csv.output.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
        try #require(csv.status == 0 && lines.count == 601 && lines[0] == ["image", "rank", "class", "probability"], "\(csv.error)")
        let json = try place.run("evaluate predict --top 3 --format json -q logits").output.split(separator: "\n").map { try JSON(parsing: String($0)) }
        try #require(json.count == 200)
        for place in 0..<600 {
            let (n, k) = (place / 3, place % 3), line = lines[place + 1], name = "class \(classes[place])"
            #expect(line[0] == "\(n)" && line[1] == "\(k + 1)" && line[2] == name && abs((Double(line[3]) ?? .nan) - probabilities[place]) <= 5.1e-7, "\(line)")
            let entry = try #require(json[n]["classes"]?.asArray?[k])
            #expect(json[n]["image"]?.asString == "\(n)" && entry["class"]?.asString == name && abs((entry["probability"]?.asNumber ?? .nan) - probabilities[place]) <= 5.1e-7)
        }
        // Only the best class, and all classes.
        #expect(try place.run("evaluate predict -q < logits").output.split(separator: "\n").count == 201)
        #expect(try place.run("evaluate predict --top 100 -q logits").output.split(separator: "\n").count == 1 + 200 * 12)
    }

    @Test func `names that hold commas, quotes and line ends are what they were, in both formats`() throws {
        let place = try Workplace()
        let paths = ["a, b/\"c\".jpg", "ä\n.jpg", "plain.jpg"].map { Array($0.utf8) }, L = paths.map(\.count).max() ?? 0
        let writer = try StreamWriter(place.path("logits"), header: StreamHeader(metadata: ["classes": "[]", "logit_classes": #"["cat","dog, \"big\""]"#]))
        try writer.write(TensorDocument(tensors: [
            "logits": Tensor(f32: [0, 0, 800, -800, -1, 1], shape: [3, 2]),
            "path": Tensor(u8: paths.flatMap { $0 + [UInt8](repeating: 0, count: L - $0.count) }, shape: [3, L]),
        ]))
        try writer.commit()
        #expect(try place.run("evaluate predict -q --top 2 logits").output == """
            image,rank,class,probability
            "a, b/""c"".jpg",1,cat,0.500000
            "a, b/""c"".jpg",2,"dog, ""big""\",0.500000
            "ä
            .jpg",1,cat,1.000000
            "ä
            .jpg",2,"dog, ""big""\",0.000000
            plain.jpg,1,"dog, ""big""\",0.880797
            plain.jpg,2,cat,0.119203

            """)
        #expect(try place.run("evaluate predict -q --format json -o out logits; cat out").output == #"""
            {"image":"a, b/\"c\".jpg","classes":[{"class":"cat","probability":0.5}]}
            {"image":"ä\n.jpg","classes":[{"class":"cat","probability":1.0}]}
            {"image":"plain.jpg","classes":[{"class":"dog, \"big\"","probability":0.880797}]}

            """#)
        // Other names, in order.
        try place.write("x\ny\n", to: "list")
        #expect(try place.run("evaluate predict -q --class-list list logits").output.contains("plain.jpg,1,y,0.880797"))
    }

    @Test func `what is no stream of a classifier is told, and nothing is written`() throws {
        let nameless = try place(logitClasses: false)
        let result = try nameless.run("evaluate predict -o out logits")
        #expect(result.status == 65 && result.error.contains("logits: does not name the classes of its logits") && !nameless.exists("out"), "\(result.error)")
        try nameless.write("a\nb\n", to: "list")
        let few = try nameless.run("evaluate predict --class-list list -o out logits")
        #expect(few.status == 65 && few.error.contains("'logits' has 12 numbers per image, expected 2, one per class") && !nameless.exists("out"), "\(few.error)")
        let bad: [(String, (inout TensorDocument) -> Void)] = [
            ("has no tensor 'logits', but index, label", { $0.tensors["logits"] = nil }),
            ("'logits' holds numbers that are not finite", { $0.tensors["logits"] = Tensor(f32: [Float](repeating: .nan, count: ($0.tensors["label"]?.shape[0] ?? 0) * 12), shape: [$0.tensors["label"]?.shape[0] ?? 0, 12]) }),
            ("expected floating-point numbers of shape", { $0.tensors["logits"] = $0.tensors["label"] }),
            ("'path'", { $0.tensors["path"] = $0.tensors["label"] }),
        ]
        for (words, change) in bad {
            let place = try place(change: change), result = try place.run("evaluate predict -o out logits")
            #expect(result.status == 65 && result.error.contains(words) && !place.exists("out") && !place.hasUnfinished, "\(result.error)")
        }
        #expect(try nameless.run("evaluate predict --top 0 logits").status == 64 && nameless.run("evaluate predict --format xml logits").status == 64)
        #expect(try nameless.run("evaluate predict missing").status == 66)
    }
}

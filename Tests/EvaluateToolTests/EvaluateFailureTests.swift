import Foundation
import TensorStreams
import TestSupport
import Testing

struct EvaluateFailureTests {
    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.stream("train", seed: 1)
        try place.stream("test", seed: 2)
        return place
    }

    /// Runs both evaluations on a bad training set and expects a failure that leaves nothing behind.
    private func expect(_ place: Workplace, status: Int32, _ words: String..., train: String = "wrong", test: String = "test") throws {
        for command in ["knn", "linear"] {
            let result = try place.run("evaluate \(command) --train \(train) --test \(test) -o out")
            #expect(result.status == status, "\(command): \(result.error)")
            for word in words { #expect(result.error.contains(word), "\(command): \(result.error)") }
            #expect(result.error.hasPrefix("evaluate: ") && result.error.split(separator: "\n").count == 1)
            #expect(result.output.isEmpty && !place.exists("out") && !place.hasUnfinished)
        }
    }

    @Test func `what cannot be opened is 66, what cannot be made 73, what cannot be written 74`() throws {
        let place = try place()
        try expect(place, status: 66, "missing", train: "missing")
        try expect(place, status: 66, "missing", train: "train", test: "missing")
        #expect(try place.run("evaluate knn --train train --test test -o no/such/folder").status == 73)
        #expect(try place.run("evaluate knn --train train --test test -o .").status == 73)
        #expect(try place.run("evaluate knn --train train --test test -o /dev/full").status == 74)
        for command in ["knn --train train --test test", "linear --train train --test test", "table --file a=b"] {
            let result = try place.run("evaluate \(command) -o out > /dev/full")
            #expect(result.status == 74 && !place.exists("out") && !place.hasUnfinished, "\(command): \(result.error)")
        }
        #expect(try place.run("evaluate table --row a=missing.json").status == 66)
    }

    @Test func `a reader that goes away ends it quietly`() throws {
        let place = try place()
        // The reader ends before the tool starts.
        let result = try place.run("exec 3> >(true); wait $!; evaluate knn -q --train train --test test >&3")
        #expect(result.status == 141 && result.error.isEmpty, "\(result.status) \(result.error)")
    }

    @Test func `an empty input, another file and a stream without samples are 65`() throws {
        let place = try place()
        try expect(place, status: 65, "is empty", train: "/dev/null")
        try place.write("hello, this is no stream", to: "wrong")
        try expect(place, status: 65, "wrong")
        try place.stream("wrong", samples: 0)
        try expect(place, status: 65, "wrong: holds no samples")
        try expect(place, status: 65, "wrong: holds no samples", train: "train", test: "wrong")
    }

    @Test func `an input cut anywhere is 65`() throws {
        let place = try place()
        let whole = try place.bytes("train")
        for length in stride(from: 0, to: whole.count, by: whole.count / 15) {
            try place.write(whole.prefix(length), to: "wrong")
            try expect(place, status: 65, "wrong: ")
        }
    }

    @Test func `samples without labels are 65, and the message says how images get labels`() throws {
        let place = try place()
        try place.stream("wrong", label: { _ in -1 })
        try expect(place, status: 65, "wrong", "none of its 60 samples has a label", "evaluation needs labels", "class/name.jpg")
        try place.stream("wrong", classes: nil, label: { $0 == 40 ? -1 : 0 })
        try expect(place, status: 65, "wrong", "1 of its 16 samples have no label (−1)", "evaluation needs labels", "class/name.jpg")
        try place.stream("wrong", classes: [], label: { _ in -1 })
        try expect(place, status: 65, "16 of its 16 samples have no label (−1)")
        try place.stream("wrong") { _, record in record.tensors["label"] = nil }
        try expect(place, status: 65, "has no 'label'", "class/name.jpg")
    }

    @Test func `samples without a label among others that have one are left out and counted`() throws {
        let place = try place()
        try place.stream("some", label: { $0 % 3 == 0 ? -1 : Int32($0 % 3) })
        for kind in ["knn", "linear"] {
            let result = try place.run("evaluate \(kind) --train some --test some -o \(kind).json")
            #expect(result.status == 0 && result.error.contains("some: 20 samples have no label and are left out"), "\(result.error)")
            #expect(result.output.contains("40 train, 40 test"), "\(result.output)")
        }
    }

    @Test func `features that are no numbers are 65, and the record is named`() throws {
        let place = try place()
        for value in [Float.nan, .infinity, -.infinity] {
            try place.stream("wrong") { number, record in
                guard number == 2, var features = try? record.tensors["features"]?.floats() else { return }
                features[5 * 8 + 3] = value
                record.tensors["features"] = Tensor(f32: features, shape: [16, 8])
            }
            try expect(place, status: 65, "record 2", "sample 5 is not finite")
        }
    }

    @Test func `features of another kind or size are 65, and both are named`() throws {
        let place = try place()
        try place.stream("wrong", dimension: 9)
        try expect(place, status: 65, "'features' has 8 dimensions, but wrong has 9")
        try place.stream("wrong") { number, record in if number == 1 { record.tensors["features"] = Tensor(f32: [Float](repeating: 1, count: 16 * 4), shape: [16, 4]) } }
        try expect(place, status: 65, "record 1", "has 4 dimensions, but earlier records have 8")
        try place.stream("wrong") { _, record in record.tensors["other"] = record.tensors.removeValue(forKey: "features") }
        try expect(place, status: 65, "no tensor 'features', but index, label, other", "--tensor")
        try place.stream("wrong") { _, record in record.tensors["features"] = record.tensors["index"] }
        try expect(place, status: 65, "'features' is I64 [16]")
        try place.stream("wrong") { _, record in record.tensors["label"] = Tensor(i32: [1, 2], shape: [2]) }
        try expect(place, status: 65, "'label' is I32 [2], expected integers of shape [16]")
    }

    @Test func `classes that do not fit are 65`() throws {
        let place = try place()
        try place.stream("wrong", classes: ["ant", "bee", "dog"])
        try expect(place, status: 65, "test: holds class 'cat', which wrong lacks")
        try place.stream("wrong", classes: ["ant", "bee"])
        try expect(place, status: 65, "label 2, expected 0 to 1")
        try place.stream("wrong", label: { _ in -7 })
        try expect(place, status: 65, "label -7")
        try place.stream("wrong", classes: ["ant", "bee", "ant"])
        try expect(place, status: 65, "wrong: header: 'classes'")
    }

    @Test func `SGD that diverges is 65, and says what to lower`() throws {
        let place = try place()
        let result = try place.run("evaluate linear --train train --test test --solver sgd --learning-rate 1e39 -o out")
        #expect(result.status == 65 && result.error.contains("diverged") && result.error.contains("--learning-rate"))
        #expect(!place.exists("out"))
    }
}

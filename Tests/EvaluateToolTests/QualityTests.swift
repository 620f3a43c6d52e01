import Foundation
import TensorStreams
import TestSupport
import Testing

/// The quality of features without labels.
struct QualityTests {
    /// Streams `student` and `teacher` of the golden features, in records of 16 samples.
    private func place() throws -> (Workplace, Golden) {
        let place = try Workplace(), golden = try Golden("quality"), images = try golden.integers("images")
        for (name, key) in [("student", "x"), ("teacher", "teacher")] {
            let D = try golden.shape(key)[1], values = try golden.floats(key), writer = try StreamWriter(place.path(name), header: StreamHeader())
            for start in stride(from: 0, to: images.count, by: 16) {
                let end = min(images.count, start + 16)
                try writer.write(TensorDocument(tensors: [
                    "features": Tensor(f32: Array(values[start * D..<end * D]), shape: [end - start, D]), "index": Tensor(i64: images[start..<end].map(Int64.init), shape: [end - start]),
                ]))
            }
            try writer.commit()
        }
        return (place, golden)
    }

    @Test func `all qualities are those of PyTorch`() throws {
        let (place, golden) = try place()
        let result = try place.run("evaluate quality student --teacher teacher --k 1,5,20 -q -o quality.json")
        #expect(result.status == 0 && result.error.isEmpty && result.output.split(separator: "\n").count == 7, "\(result.error)")
        let json = try JSON(parsing: place.text("quality.json"))
        func check(_ found: JSON?, _ key: String) throws {
            let found = try #require(found?.asNumber), expected = try golden.doubles(key)[0]
            #expect(abs(found - expected) < 1e-5 * max(1, abs(expected)), "\(key): \(found), \(expected)")
        }
        try check(json["uniformity"], "uniformity")
        try check(json["alignment"]?["value"], "alignment")
        try check(json["deviation"], "deviation")
        try check(json["spread"]?["effective_rank"], "rank")
        #expect(json["alignment"]?["images"]?.asInteger == 21)
        let shares = try #require(json["agreement"]?.asArray).compactMap { $0["share"]?.asNumber }
        #expect(try zip(shares, golden.doubles("agreement")).allSatisfy { abs($0 - $1) < 1e-12 } && shares.count == 3)
    }

    @Test func `results do not depend on the number of threads`() throws {
        let (place, _) = try place()
        for threads in [1, 2, 5] { try place.perform("evaluate quality student --teacher teacher --threads \(threads) -q -o \(threads).json") }
        #expect(try place.bytes("1.json") == place.bytes("2.json") && place.bytes("1.json") == place.bytes("5.json"))
    }

    @Test func `a network agrees with itself, and features that are all alike are told`() throws {
        let (place, _) = try place()
        let same = try place.run("evaluate quality student --teacher student --k 100 -q")
        #expect(same.output.contains("agreement with the teacher 100.0 %  (k=60"))
        try place.stream("alike", samples: 40) { _, record in
            let count = record.tensors["label"]?.shape[0] ?? 0
            record.tensors["features"] = Tensor(f32: [Float](repeating: 2, count: count * 8), shape: [count, 8])
        }
        let alike = try place.run("evaluate quality alike")
        #expect(alike.status == 0 && alike.error.contains("have collapsed: all 40 are the same") && alike.output.contains("effective rank none of 8") && alike.output.contains("deviation 0.000"))
    }

    @Test(arguments: [
        ("student --teacher short", 65, "short: has different images from student, starting at sample 8"), ("student --k 3", 64, "--k has no effect without --teacher"), ("one", 65, "one: has only one sample"),
        ("student --teacher student --k 0", 64, "--k cannot be '0'"), ("student --tensor rows", 65, "has no tensor 'rows'"),
    ])
    func `what cannot be told is said`(_ arguments: String, _ status: Int32, _ words: String) throws {
        let (place, _) = try place()
        try place.stream("short", samples: 8)
        try place.stream("one", samples: 1)
        let result = try place.run("evaluate quality \(arguments)")
        #expect(result.status == status && result.error.contains(words), "\(result.error)")
    }
}

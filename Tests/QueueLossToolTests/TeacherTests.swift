import Foundation
import Losses
import TensorStreams
import TestSupport
import Testing
import Objectives

/// SEED's loss estimates two properties of its teacher: the shared mean of its embeddings, and the temperature.
struct TeacherTests {
    private let N = 40, D = 16, K = 50

    /// Rows of unit length that share a mean: random ones with `shift` added to the first number.
    private func rows(_ count: Int, seed: UInt64, shift: Float) -> [Float] {
        let random = EmbeddingQueue(capacity: count, dimension: D, seed: seed).rows
        return (0..<count).flatMap { n -> [Float] in
            var row = Array(random[n * D..<(n + 1) * D])
            row[0] += shift
            let length = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            return row.map { Float(Double($0) / length) }
        }
    }

    /// A stream of three batches whose teacher rows share a mean; the first has a sample if requested.
    @discardableResult
    private func stream(
        _ place: Workplace, _ name: String, shift: Float, batches: Range<Int> = 0..<3, sample: Tensor? = nil, first: TensorDocument? = nil, state: Bool = false
    ) throws -> [TensorDocument] {
        try place.stream(name, batches: batches, N: N, D: D, metadata: state ? ["state": "wanted"] : [:], first: first) { batch, record in
            record.tensors["teacher"] = Tensor(f32: rows(N, seed: UInt64(2000 + batch), shift: shift), shape: [N, D])
            if batch == 0, let sample { record.tensors["teacher.sample"] = sample }
        }
    }

    private func mean(_ tensor: Tensor) -> SharedMean { tensor.withFloats { SharedMean(of: $0, dimension: D) } }

    /// The loss of each record, with `mean` subtracted from the teacher's rows.
    private func losses(_ records: [TensorDocument], without mean: SharedMean?, _ temperature: Double) throws -> [Tensor] {
        var objective = QueueLoss.seed(queue: EmbeddingQueue(capacity: K, dimension: D, seed: 0), teacherTemperature: temperature)
        return try records.map { record in
            var teacher = try record.tensor("teacher", .f32, shape: [N, D]).floats()
            mean?.takeOff(&teacher)
            let student = try record.tensor("student", .f32, shape: [N, D])
            let values = student.withFloats { s in teacher.withUnsafeBufferPointer { t in objective.evaluate(student: s, teacher: t, count: N) } }
            return Tensor(f32: values.loss, shape: [N])
        }
    }

    @Test func `a mean that the teacher's rows share is taken off, told, and kept with the queue`() throws {
        let place = try Workplace()
        let records = try stream(place, "in", shift: 2, state: true)
        let result = try place.run("queue-loss --queue-size \(K) --teacher-temperature 0.1 --queue q in -o out")
        let mean = mean(try #require(records[0].tensors["teacher"]))
        #expect(result.status == 0 && mean.length > 0.8)
        #expect(result.error.contains("queue-loss: the teacher's embeddings share a mean of length \(String(format: "%.2f", mean.length)), which is subtracted (--centre none keeps it"), "\(result.error)")
        let answers = try place.read("out").records
        #expect(answers.dropLast().map { $0.tensors["loss"] } == (try losses(records, without: mean, 0.1)))
        #expect(answers[1].metadata["centre"] == "\(mean.length)" && answers[1].metadata["teacher_temperature"] == "0.1")
        #expect(abs(Double(try #require(answers[1].metadata["teacher_cosine"])) ?? 1) < 0.05)
        for state in [try #require(answers.last), try DocumentFile.read(place.path("q"))] {
            #expect(state.names == ["centre", "queue", "queue.filled", "queue.position"])
            #expect(state.tensors["centre"] == Tensor(f32: mean.values, shape: [D]))
        }
    }

    @Test func `the published loss leaves it`() throws {
        let place = try Workplace()
        let records = try stream(place, "in", shift: 2)
        let result = try place.run("queue-loss --queue-size \(K) --teacher-temperature 0.1 --centre none --queue q in -o out")
        #expect(result.status == 0 && !result.error.contains("mean"))
        let answers = try place.read("out").records
        #expect(answers.map { $0.tensors["loss"] } == (try losses(records, without: nil, 0.1)))
        #expect(answers[0].metadata["centre"] == nil && Double(answers[0].metadata["teacher_cosine"] ?? "") ?? 0 > 0.7)
        #expect(try DocumentFile.read(place.path("q")).names == ["queue", "queue.filled", "queue.position"])
    }

    @Test(arguments: [Float(0), 0.1])
    func `where the mean is small nothing changes and nothing is said`(shift: Float) throws {
        let place = try Workplace()
        try stream(place, "in", shift: shift)
        let result = try place.run("""
            queue-loss --queue-size \(K) --teacher-temperature 0.3 in -o a && queue-loss --queue-size \(K) --teacher-temperature 0.3 --centre none -q in -o b
            """)
        #expect(result.status == 0 && result.lines.count == 1, "\(result.error)")
        #expect(try place.read("a").records == place.read("b").records)
    }

    @Test func `a sample in the first record is asked instead of its rows`() throws {
        let place = try Workplace()
        let sample = Tensor(f32: rows(300, seed: 7, shift: 1.5), shape: [300, D])
        let records = try stream(place, "in", shift: 2, sample: sample)
        try #require(try place.run("queue-loss --queue-size \(K) --teacher-temperature 0.1 -q in -o out").status == 0)
        #expect(try place.read("out").records.map { $0.tensors["loss"] } == losses(records, without: mean(sample), 0.1))
    }

    @Test func `the temperature is found for two thirds of the entropy, told, and kept with the queue`() throws {
        let place = try Workplace()
        let sample = Tensor(f32: rows(300, seed: 7, shift: 1.5), shape: [300, D])
        let records = try stream(place, "in", shift: 1.5, sample: sample)
        let result = try place.run("queue-loss --queue-size \(K) --teacher-temperature auto --queue q in -o out")
        let kept = try #require(try DocumentFile.read(place.path("q")).tensors["temperature"]).withElements(as: Double.self) { $0[0] }
        #expect(result.error.contains("queue-loss: the teacher's temperature is \(kept): according to its first 300 embeddings, the targets then have 67 % of the largest entropy"), "\(result.error)")
        #expect(try place.read("out").records.map { $0.tensors["loss"] } == losses(records, without: mean(sample), kept))
        // The same result as with the reported number as an option.
        try #require(try place.run("queue-loss --queue-size \(K) --teacher-temperature \(kept) -q in -o told").status == 0)
        #expect(try place.read("told").records == place.read("out").records)
        // The targets have this entropy once the queue is full of such rows.
        var centred = rows(K, seed: 8, shift: 1.5), asking = rows(200, seed: 9, shift: 1.5)
        mean(sample).takeOff(&centred)
        mean(sample).takeOff(&asking)
        var objective = QueueLoss.seed(queue: EmbeddingQueue(rows: centred, dimension: D, position: 0, filled: K), teacherTemperature: kept)
        let floor = asking.withUnsafeBufferPointer { objective.evaluate(student: $0, teacher: $0, count: 200).meanFloor } ?? 0
        #expect(abs(floor / log(Double(K) + 1) - 2.0 / 3) < 0.03)
    }

    @Test(arguments: ["", "--teacher-temperature auto", "--teacher-temperature auto --centre none", "--teacher-temperature 0.2 --centre auto"])
    func `a training that is cut into epochs goes on with what it found in the first`(options: String) throws {
        let place = try Workplace()
        try stream(place, "whole", shift: 2, batches: 0..<5, state: true)
        try stream(place, "early", shift: 2, batches: 0..<2, state: true)
        try #require(try place.run("queue-loss --queue-size \(K) \(options) -q whole -o all && queue-loss --queue-size \(K) \(options) -q early -o a").status == 0)
        var early = try place.read("a").records
        let state = early.removeLast()
        // Rows other than the first would give a different mean.
        try stream(place, "late", shift: 2, batches: 2..<5, first: state, state: true)
        let result = try place.run("queue-loss \(options) late -o b")
        #expect(result.status == 0 && result.lines.count == 1, "\(result.error)")
        #expect(try early + place.read("b").records == place.read("all").records)
    }

    @Test func `a queue of before goes on as it was, and lends its rows to find a temperature`() throws {
        let place = try Workplace()
        let before = EmbeddingQueue(rows: rows(K, seed: 3, shift: 2), dimension: D, position: 0, filled: K)
        let records = try stream(place, "in", shift: 2, first: QueueState.record(before))
        try #require(try place.run("queue-loss -q in -o a && queue-loss -q --teacher-temperature auto in -o b").status == 0)
        let (a, b) = (try place.read("a").records, try place.read("b").records)
        var published = QueueLoss.seed(queue: before)
        let (student, teacher) = (try #require(records[0].tensors["student"]), try #require(records[0].tensors["teacher"]))
        let values = student.withFloats { s in teacher.withFloats { t in published.evaluate(student: s, teacher: t, count: N) } }
        #expect(a[0].tensors["loss"] == Tensor(f32: values.loss, shape: [N]) && a[0].metadata["centre"] == nil)
        #expect(b[0].metadata["centre"] == nil && Double(b[0].metadata["teacher_temperature"] ?? "") ?? 1 < 0.2)
    }

    @Test func `what was taken off cannot be put back in the middle`() throws {
        let place = try Workplace()
        try stream(place, "in", shift: 2)
        try #require(try place.run("queue-loss --queue-size \(K) --queue q -q in -o out && cp q kept").status == 0)
        for (options, words) in [
            ("--centre none", "q: holds a queue of embeddings with their mean subtracted where --centre none needs them unchanged; leave out --centre to keep it"),
            ("--objective moco-v2", "q: holds a queue of embeddings with their mean subtracted where --objective moco-v2 needs them unchanged; begin a new queue"),
        ] {
            let result = try place.run("queue-loss --queue q \(options) in -o again")
            #expect(result.status == 65 && result.lines.count == 1 && result.error.contains("queue-loss: \(words)"), "\(result.error)")
            #expect(try place.bytes("q") == place.bytes("kept") && !place.exists("again"))
        }
        let damages: [(String, Tensor)] = [
            ("has 'centre' of F32 [3] where F32 [16] is expected", Tensor(f32: [1, 0, 0], shape: [3])),
            ("has a 'centre' of length 4.00 where 0 to 1", Tensor(f32: [Float](repeating: 1, count: 16), shape: [16])),
            ("has a 'centre' of length", Tensor(f32: [Float](repeating: .nan, count: 16), shape: [16])),
        ]
        for (words, tensor) in damages {
            var document = try DocumentFile.read(place.path("kept"))
            document.tensors["centre"] = tensor
            try DocumentFile.write(document, to: place.path("bad"))
            let result = try place.run("queue-loss --queue bad in -o again")
            #expect(result.status == 65 && result.error.contains("queue-loss: bad: \(words)"), "\(result.error)")
        }
        for value in [0, -1, .nan, .infinity, 1e9] {
            var document = try DocumentFile.read(place.path("kept"))
            document.tensors["temperature"] = Tensor(f64: [value], shape: [1])
            try DocumentFile.write(document, to: place.path("bad"))
            let result = try place.run("queue-loss --queue bad in -o again")
            #expect(result.status == 65 && result.error.contains("queue-loss: bad: has 'temperature' = "), "\(result.error)")
        }
    }

    @Test(arguments: [
        ("--teacher-temperature 0.01", 0.0, "at the teacher's temperature of 0.01 the targets are all but one-hot: they have 0.0 % of the largest entropy"),
        ("", 0.0, "at the teacher's temperature of 0.01 the targets are all but one-hot"),
        ("--teacher-temperature 3", 0.0, "at the teacher's temperature of 3.0 the targets are all but uniform: they have 99."),
        ("--teacher-temperature 2 --centre none", 2.0, "at the teacher's temperature of 2.0 the targets are all but uniform"),
    ])
    func `a temperature whose targets teach nothing is told at once, with the one that would`(options: String, shift: Double, words: String) throws {
        let place = try Workplace()
        try stream(place, "in", shift: Float(shift))
        let result = try place.run("queue-loss --queue-size \(K) \(options) in -o out")
        #expect(result.status == 0 && result.lines.count == 2 && result.lines[0].hasPrefix("queue-loss: \(words)"), "\(result.error)")
        #expect(result.error.contains("little can be learnt from them; --teacher-temperature auto takes 0."))
        let quiet = try place.run("queue-loss --queue-size \(K) \(options) -q in -o out")
        #expect(quiet.status == 0 && quiet.error.isEmpty)
    }

    @Test func `a teacher whose embeddings are all alike is told, and nothing is taken off it`() throws {
        let place = try Workplace()
        try place.stream("in", N: N, D: D) { _, record in
            record.tensors["teacher"] = Tensor(f32: [Float](repeating: 0.25, count: N * D), shape: [N, D])
        }
        for options in ["", "--teacher-temperature auto", "--centre auto"] {
            let result = try place.run("queue-loss --queue-size \(K) \(options) in -o out")
            #expect(result.status == 0 && result.lines.count == 2, "\(result.error)")
            #expect(result.error.contains("the teacher's embeddings are all alike, and nothing can be learnt from them"))
            #expect(try place.read("out").records[0].metadata["centre"] == nil)
        }
    }

    @Test func `a first batch too small to tell leaves the published loss, and says so where more was asked for`() throws {
        let place = try Workplace()
        try place.stream("in", N: 31, D: D) { batch, record in
            record.tensors["teacher"] = Tensor(f32: rows(31, seed: UInt64(batch), shift: 2), shape: [31, D])
        }
        try #require(try place.run("queue-loss --queue-size \(K) --teacher-temperature 0.01 --centre none -q in -o published").status == 0)
        for (options, lines) in [("", 1), ("--teacher-temperature auto", 2)] {
            let result = try place.run("queue-loss --queue-size \(K) \(options) in -o out")
            #expect(result.status == 0 && result.lines.count == lines, "\(result.error)")
            #expect(lines == 1 || result.error.contains("31 embeddings are too few to find a temperature; it is 0.01, as published"))
            #expect(try place.read("out").records == place.read("published").records)
        }
    }

    @Test(arguments: [
        ("--objective moco-v2 --centre auto", "--centre is of no use to moco-v2; leave it out"),
        ("--objective moco-v2 --teacher-temperature auto", "--teacher-temperature is of no use to moco-v2; leave it out"),
        ("--centre maybe", "--centre"), ("--teacher-temperature warm", "--teacher-temperature"),
        ("--teacher-temperature inf", "--teacher-temperature takes auto, or a number from 1e-05 to 1000, found inf"),
    ])
    func `options that are none are 64`(options: String, words: String) throws {
        let place = try Workplace()
        let result = try place.run("queue-loss \(options) in")
        #expect(result.status == 64 && result.lines.count == 1 && result.error.contains(words), "\(result.error)")
    }
}

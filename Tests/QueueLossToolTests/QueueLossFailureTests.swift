import Foundation
import Losses
import TensorStreams
import TestSupport
import Testing
import Objectives

struct QueueLossFailureTests {
    @Test func `help shows an example and succeeds`() throws {
        let place = try Workplace()
        let result = try place.run("queue-loss --help > help")
        #expect(result.status == 0 && result.error.isEmpty)
        let help = String(decoding: try place.bytes("help"), as: UTF8.self)
        #expect(help.contains("queue-loss --queue queue.safetensors") && help.contains("See also: train-step"))
    }

    @Test(arguments: [
        "--no-such-option", "--queue-size 0", "--student-temperature 0", "--student-temperature nan", "--teacher-temperature 1e-9",
        "--objective moco-v2 --teacher-temperature 0.1", "--objective byol", "--level 99", "--threads 0", "in more",
    ])
    func `a wrong command line is 64`(arguments: String) throws {
        let place = try Workplace()
        try place.stream("in")
        let result = try place.run("queue-loss \(arguments)")
        #expect(result.status == 64)
        #expect(result.error.hasPrefix("queue-loss: ") && result.error.contains("see 'queue-loss --help'"))
    }

    @Test func `what cannot be opened is 66, what cannot be made 73, what cannot be written 74`() throws {
        let place = try Workplace()
        try place.stream("in")
        #expect(try place.run("queue-loss missing").status == 66)
        #expect(try place.run("queue-loss in -o no/such/folder").status == 73)
        #expect(try place.run("queue-loss in > /dev/full").status == 74)
        #expect(try place.run("queue-loss in -o /dev/full").status == 74)
        let queue = try place.run("queue-loss --queue-size 5 in --queue no/folder/q -o out")
        #expect(queue.status == 73 && queue.error.contains("no/folder/q"))
    }

    @Test func `a reader that goes away ends it quietly`() throws {
        let place = try Workplace()
        try place.stream("in", batches: 0..<40, N: 256, D: 128)
        let result = try place.run("queue-loss -q --queue-size 100 in | true")
        #expect(result.status == 141 && result.error.isEmpty)
    }

    @Test func `no input, no records and other files are 65`() throws {
        let place = try Workplace()
        try place.stream("none", batches: 0..<0)
        try place.stream("state", batches: 0..<0, first: QueueState.record(EmbeddingQueue(capacity: 3, dimension: 2, seed: 1)))
        for (line, words) in [
            ("queue-loss /dev/null -o out", "is empty"), ("echo hello | queue-loss -o out", "not a tensor stream"),
            ("queue-loss none -o out", "none: has no records with embeddings"), ("queue-loss state -o out", "state: has no records with embeddings"),
        ] {
            let result = try place.run(line)
            #expect(result.status == 65 && result.error.contains(words), "\(line): \(result.error)")
            #expect(!place.exists("out") && !place.exists("out.part"))
        }
    }

    @Test func `an input cut anywhere is 65 and leaves neither output nor another queue`() throws {
        let place = try Workplace()
        try place.stream("in", batches: 0..<2, N: 3, D: 4)
        try place.stream("before", batches: 0..<1, N: 3, D: 4)
        #expect(try place.run("queue-loss --queue q --queue-size 5 before -o out && rm out").status == 0)
        let (whole, queue) = (try place.bytes("in"), try place.bytes("q"))
        for length in stride(from: 0, to: whole.count, by: whole.count / 40) {
            try place.write(whole.prefix(length), to: "cut")
            let result = try place.run("queue-loss --queue q cut -o out")
            #expect(result.status == 65 && result.error.hasPrefix("queue-loss: cut: "), "\(length): \(result.error)")
            #expect(!place.exists("out") && !place.exists("out.part"))
            #expect(try place.bytes("q") == queue)
        }
    }

    @Test func `rows that no loss can use are 65 and named`() throws {
        func tensor(_ change: (inout [Float]) -> Void) -> Tensor {
            var rows = EmbeddingQueue(capacity: 8, dimension: 16, seed: 7).rows
            change(&rows)
            return Tensor(f32: rows, shape: [8, 16])
        }
        let queue = EmbeddingQueue(capacity: 5, dimension: 16, seed: 1)
        let cases: [(String, (inout TensorDocument) -> Void)] = [
            ("record 1: has row 3 of 'student' of length 2.00 where 1 is expected; divide each row by its length",
             { $0.tensors["student"] = tensor { for d in 48..<64 { $0[d] *= 2 } } }),
            ("record 1: has row 7 of 'teacher' of length 0.000 where 1 is expected",
             { $0.tensors["teacher"] = tensor { for d in 112..<128 { $0[d] = 0 } } }),
            ("record 1: has a number that is not finite in row 2 of 'student'", { $0.tensors["student"] = tensor { $0[40] = .nan } }),
            ("record 1: has a number that is not finite in row 0 of 'teacher'", { $0.tensors["teacher"] = tensor { $0[0] = .infinity } }),
            ("record 1: has no tensor 'teacher'; it has student", { $0.tensors["teacher"] = nil }),
            ("record 1: has 'student' of F64 [1, 1] where F32 [any, any] is expected", { $0.tensors["student"] = Tensor(f64: [1], shape: [1, 1]) }),
            ("record 1: has 'teacher' of F32 [1, 16] where F32 [8, 16] is expected",
             { $0.tensors["teacher"] = Tensor(f32: Array(EmbeddingQueue(capacity: 1, dimension: 16, seed: 7).rows), shape: [1, 16]) }),
            ("record 1: has rows of 1 numbers where the queue has rows of 16",
             { $0.tensors = ["student": Tensor(f32: [1], shape: [1, 1]), "teacher": Tensor(f32: [1], shape: [1, 1])] }),
            ("record 1: has rows without numbers", { $0.tensors = ["student": Tensor(f32: [], shape: [1, 0]), "teacher": Tensor(f32: [], shape: [1, 0])] }),
            ("record 1: carries a second queue; a queue can only come first", { $0 = QueueState.record(queue) }),
        ]
        for (words, change) in cases {
            let place = try Workplace()
            try place.stream("in") { if $0 == 1 { change(&$1) } }
            let result = try place.run("queue-loss --queue-size 5 in -o out")
            #expect(result.status == 65 && result.error.contains("queue-loss: in: \(words)"), "\(words): \(result.error)")
            #expect(!place.exists("out"))
        }
    }

    @Test func `a row whose length is off by rounding is good`() throws {
        let place = try Workplace()
        try place.stream("in") { _, record in
            let rows = EmbeddingQueue(capacity: 8, dimension: 16, seed: 7).rows.map { $0 * 1.0009 }
            record.tensors["teacher"] = Tensor(f32: rows, shape: [8, 16])
        }
        #expect(try place.run("queue-loss --queue-size 5 in").status == 0)
    }

    @Test func `a queue of another size, another dimension or out of order is 65 and says what to do`() throws {
        let place = try Workplace()
        try place.stream("in")
        func write(_ name: String, _ queue: EmbeddingQueue, _ change: (inout TensorDocument) -> Void = { _ in }) throws {
            var document = TensorDocument(tensors: QueueState.tensors(queue))
            change(&document)
            try DocumentFile.write(document, to: place.path(name))
        }
        let queue = EmbeddingQueue(capacity: 7, dimension: 16, seed: 1)
        try write("good", queue)
        try write("narrow", EmbeddingQueue(capacity: 7, dimension: 4, seed: 1))
        try write("outside", queue) { $0.tensors["queue.position"] = Tensor(i64: [7], shape: [1]) }
        try write("full", queue) { $0.tensors["queue.filled"] = Tensor(i64: [-1], shape: [1]) }
        try write("long", queue) { $0.tensors["queue"] = Tensor(f32: queue.rows.map { $0 * 3 }, shape: [7, 16]) }
        try write("broken", queue) { $0.tensors["queue"] = Tensor(f32: queue.rows.map { _ in .nan }, shape: [7, 16]) }
        try write("empty", queue) { $0.tensors["queue"] = Tensor(f32: [], shape: [0, 16]) }
        try write("partial", queue) { $0.tensors["queue.filled"] = nil }
        try place.write(place.bytes("good").prefix(200), to: "cut")
        try place.write(place.bytes("in"), to: "stream")
        for (arguments, words) in [
            ("--queue good --queue-size 9", "good: holds a queue of 7 rows where --queue-size asks for 9; leave out --queue-size"),
            ("--queue narrow", "in: record 0: has rows of 16 numbers where the queue has rows of 4; the queue belongs to another teacher"),
            ("--queue outside", "outside: has 'queue.position' = [7] where 0 to 6 is expected"),
            ("--queue full", "full: has 'queue.filled' = [-1] where 0 to 7 is expected"),
            ("--queue long", "long: has row 0 of 'queue' of length 3.00"),
            ("--queue broken", "broken: has a number that is not finite in row 0 of 'queue'"),
            ("--queue empty", "empty: has an empty queue"),
            ("--queue partial", "partial: has no tensor 'queue.filled'"),
            ("--queue cut", "cut: "),
            ("--queue stream", "stream: is a tensor stream where a single document is expected"),
        ] {
            let result = try place.run("queue-loss \(arguments) in -o out")
            #expect(result.status == 65 && result.error.contains("queue-loss: \(words)"), "\(arguments): \(result.error)")
            #expect(!place.exists("out"))
        }
        #expect(try place.run("queue-loss --queue good --queue-size 7 in").status == 0)
    }

    @Test func `a queue larger than a record can be is refused before it is made`() throws {
        let place = try Workplace()
        try place.stream("in", N: 4, D: 1024)
        let result = try place.run("queue-loss --queue-size \(1 << 28) in -o out")
        #expect(result.status == 64 && result.lines.count == 1 && !place.exists("out"))
        #expect(result.error.contains("a queue of 268435456 rows of 1024 numbers has 1099511627776 bytes, above the limit of"), "\(result.error)")
    }

    @Test func `a queue in the stream and one in a file are one too many`() throws {
        let place = try Workplace()
        let queue = EmbeddingQueue(capacity: 7, dimension: 16, seed: 1)
        try DocumentFile.write(TensorDocument(tensors: QueueState.tensors(queue)), to: place.path("q"))
        try place.stream("in", first: QueueState.record(queue))
        let result = try place.run("queue-loss --queue q in")
        #expect(result.status == 65 && result.error.contains("record 0: carries a second queue; leave out --queue"))
        let size = try place.run("queue-loss --queue-size 8 in")
        #expect(size.status == 65 && size.error.contains("record 0: holds a queue of 7 rows where --queue-size asks for 8"))
    }
}

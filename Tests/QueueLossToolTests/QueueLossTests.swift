import Foundation
import Losses
import TensorStreams
import TestSupport
import Testing
import Objectives

struct QueueLossTests {
    @Test func `the answers are those of the library, record by record, with the metadata of the input and the queue's fill`() throws {
        let place = try Workplace()
        let records = try place.stream("in", metadata: ["samples": "5000", "classes": "[]"])
        let result = try place.run("queue-loss --queue-size 21 --teacher-temperature 0.05 --seed 4 --threads 2 in -o out")
        #expect(result.status == 0, "\(result.error)")
        let (header, answers) = try place.read("out")
        #expect(header.provenance.lines == ["embed 0.1.0 --seed 3", "queue-loss 0.1.0 --queue-size 21 --teacher-temperature 0.05 --seed 4"])
        let loss = "queue-loss --objective seed --queue-size 21 --student-temperature 0.2 --teacher-temperature 0.05 --centre auto --seed 4"
        #expect(header.metadata == ["samples": "5000", "classes": "[]", "loss": loss])
        #expect(answers.count == 3)
        var objective = QueueLoss.seed(queue: EmbeddingQueue(capacity: 21, dimension: 16, seed: 4), teacherTemperature: 0.05)
        var summary = LossSummary()
        for (record, answer) in zip(records, answers) {
            let student = try #require(record.tensors["student"]), teacher = try #require(record.tensors["teacher"])
            let values = student.withFloats { s in teacher.withFloats { t in objective.evaluate(student: s, teacher: t, count: 8) } }
            summary.add(values)
            let cosine = try #require(teacher.withFloats { MeanCosine.of($0, dimension: 16) })
            let own = ["queue_size": "21", "queue_filled": "\(objective.queue.filled)", "teacher_temperature": "0.05", "teacher_cosine": "\(cosine)"]
            #expect(answer.metadata == record.metadata.merging(own) { $1 })
            #expect(answer.names == ["agreement", "floor", "gradient", "loss"])
            #expect(answer.tensors["loss"] == Tensor(f32: values.loss, shape: [8]))
            #expect(answer.tensors["gradient"] == Tensor(f32: values.gradient, shape: [8, 16]))
            #expect(answer.tensors["floor"] == values.floor.map { Tensor(f32: $0, shape: [8]) })
            #expect(answer.tensors["agreement"] == values.agreement.map { Tensor(f32: $0, shape: [8]) })
        }
        // The closing line matches the library's text; ln 22 = 3.091.
        #expect(result.error.contains("queue-loss: 3 records in ") && result.error.contains(summary.text(objective.queue)))
        #expect(result.error.contains("ln(K+1) = 3.091") && result.error.contains("queue 21 rows, 100.0 % real"))
    }

    @Test func `moco-v2 is InfoNCE`() throws {
        let place = try Workplace()
        let records = try place.stream("in", batches: 0..<1)
        #expect(try place.run("queue-loss --objective moco-v2 --student-temperature 0.1 --queue-size 50 in -o out").status == 0)
        let student = try #require(records[0].tensors["student"]), teacher = try #require(records[0].tensors["teacher"])
        var objective = QueueLoss.infoNCE(queue: EmbeddingQueue(capacity: 50, dimension: 16, seed: 0), temperature: 0.1)
        let values = student.withFloats { s in teacher.withFloats { t in objective.evaluate(student: s, teacher: t, count: 8) } }
        #expect(try place.read("out").records[0].tensors["loss"] == Tensor(f32: values.loss, shape: [8]))
    }

    @Test func `one thread and three, pipes and files give the same bytes`() throws {
        let place = try Workplace()
        try place.stream("in", N: 300, D: 24)
        let common = "queue-loss --queue-size 5000 --level 1 -q"
        #expect(try place.run("\(common) --threads 1 in -o one && \(common) --threads 3 in -o three && cat in | \(common) --threads 2 - > piped").status == 0)
        #expect(try place.bytes("one") == place.bytes("three"))
        #expect(try place.bytes("one") == place.bytes("piped"))
    }

    @Test func `a queue kept in a file goes on where it stopped`() throws {
        let place = try Workplace()
        try place.stream("whole", batches: 0..<5)
        try place.stream("early", batches: 0..<2)
        try place.stream("late", batches: 2..<5)
        let result = try place.run("""
            queue-loss --queue-size 21 whole -o all --queue all.queue && queue-loss --queue q --queue-size 21 early -o a && \
            cp q kept && queue-loss --queue q late -o b
            """)
        #expect(result.status == 0, "\(result.error)")
        let (a, b) = (try place.read("a").records, try place.read("b").records)
        #expect(try place.read("all").records == a + b)
        let (whole, parts) = (try DocumentFile.read(place.path("all.queue")), try DocumentFile.read(place.path("q")))
        #expect(whole.tensors == parts.tensors)
        let queue = try QueueState.queue(parts)
        #expect(queue.capacity == 21 && queue.position == 40 % 21 && queue.filled == 21)
        #expect(try QueueState.queue(DocumentFile.read(place.path("kept"))).filled == 16)
        #expect(parts.metadata["provenance"]?.contains("queue-loss 0.1.0") == true)
    }

    @Test func `a queue travels in the stream, in as the first record and out as the last`() throws {
        let place = try Workplace()
        try place.stream("whole", batches: 0..<5, metadata: ["state": "wanted"])
        try place.stream("early", batches: 0..<2, metadata: ["state": "wanted"])
        #expect(try place.run("queue-loss --queue-size 21 whole -o all && queue-loss --queue-size 21 early -o a").status == 0)
        var a = try place.read("a")
        #expect(a.header.metadata["state"] == "at any time")
        let state = a.records.removeLast()
        #expect(state.metadata == ["state": "1"] && state.names == ["queue", "queue.filled", "queue.position"])
        try place.stream("late", batches: 2..<5, metadata: ["state": "wanted"], first: state)
        #expect(try place.run("queue-loss late -o b").status == 0)
        #expect(try a.records + place.read("b").records == place.read("all").records)
        // Without a request there is no such record.
        try place.stream("plain", batches: 0..<2)
        #expect(try place.run("queue-loss --queue-size 21 plain -o c").status == 0)
        #expect(try place.read("c").records == a.records)
    }

    @Test(.timeLimit(.minutes(10))) func `an answer comes before the next record is sent`() throws {
        let (request, answer) = (Pipe(), Pipe())
        let process = Process()
        process.executableURL = Workplace.tools.appending(path: "queue-loss")
        process.arguments = ["-q", "--queue-size", "9"]
        (process.standardInput, process.standardOutput) = (request, answer)
        try process.run()
        let writer = try StreamWriter(descriptor: dup(request.fileHandleForWriting.fileDescriptor), name: "request", header: StreamHeader(metadata: ["state": "wanted"]))
        try request.fileHandleForWriting.close()
        let reader = try StreamReader(descriptor: dup(answer.fileHandleForReading.fileDescriptor), name: "answer")
        let rows = Tensor(f32: [1, 0, 0, 1], shape: [2, 2])
        try writer.write(QueueState.record(EmbeddingQueue(capacity: 9, dimension: 2, seed: 1)))
        for step in 0..<3 {
            try writer.write(TensorDocument(metadata: ["step": "\(step)"], tensors: ["student": rows, "teacher": rows]))
            let document = try #require(try reader.next())
            #expect(document.metadata["step"] == "\(step)" && document.tensors["gradient"]?.shape == [2, 2])
        }
        try writer.commit()
        let state = try #require(try reader.next())
        #expect(try QueueState.queue(state).filled == 6)
        #expect(try reader.next() == nil)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func `a queue as large as the data set has a warning, and by default is half of it`() throws {
        let place = try Workplace()
        try place.stream("in", metadata: ["samples": "24", "state": "wanted"])
        let large = try place.run("queue-loss --queue-size 24 in")
        #expect(large.status == 0 && large.error.contains("queue-loss: the queue of 24 rows is not smaller than the data set of 24 images"))
        let usual = try place.run("queue-loss in -o out")
        #expect(usual.status == 0 && !usual.error.contains("not smaller"))
        let state = try #require(try place.read("out").records.last)
        #expect(state.tensors["queue"]?.shape == [12, 16])
        #expect(QueueState.capacity(samples: nil) == 65536 && QueueState.capacity(samples: 1_281_167) == 65536 && QueueState.capacity(samples: 1) == 1)
    }

    @Test func `a batch without rows has an answer without rows`() throws {
        let place = try Workplace()
        try place.stream("in") { batch, record in
            if batch == 1 { record.tensors = ["student": Tensor(f32: [], shape: [0, 16]), "teacher": Tensor(f32: [], shape: [0, 16])] }
        }
        #expect(try place.run("queue-loss --queue-size 5 in -o out").status == 0)
        #expect(try place.read("out").records[1].tensors["gradient"]?.shape == [0, 16])
    }
}

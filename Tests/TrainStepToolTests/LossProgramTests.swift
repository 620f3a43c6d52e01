import TensorStreams
import TestSupport
import Testing

struct LossProgramTests {
    @Test(arguments: [
        ("", "queue-loss -q", "taught"),
        ("--queue-size 30 --teacher-temperature 0.02 --seed 4", "queue-loss -q --queue-size 30 --teacher-temperature 0.02 --seed 4", "taught"),
        ("--teacher-temperature auto --centre auto --queue-size 30", "queue-loss -q --teacher-temperature auto --centre auto --queue-size 30", "taught"),
        ("--centre none", "queue-loss -q --centre none", "taught"),
        ("--objective moco-v2 --student-temperature 0.15", "queue-loss -q --objective moco-v2 --student-temperature .15", "pairs"),
    ])
    func `the built-in loss and queue-loss leave the same bytes, epoch after epoch`(options: String, program: String, stream: String) throws {
        let place = try Workplace.training()
        // Options of train-step itself, the seed and the objective, must be given in both cases.
        let own = options.split(separator: "--").filter { $0.hasPrefix("objective") || $0.hasPrefix("seed") }.map { "--\($0)" }.joined()
        let result = try place.run("""
            set -e
            train-step --student student \(stream) -q \(options) -o a1
            train-step --student a1 \(stream) -q \(options) -o a2
            train-step --student student \(stream) -q \(own) --loss '\(program)' -o b1
            train-step --student b1 \(stream) -q \(own) --loss '\(program)' -o b2
            """)
        try #require(result.status == 0, "\(result.error)")
        #expect(try place.bytes("a1") == place.bytes("b1"))
        #expect(try place.bytes("a2") == place.bytes("b2"))
        #expect(try place.document("a1").tensors["training.loss.queue"] != nil)
        // The estimates about the teacher, made in the first epoch and used in all.
        for (name, wanted) in [("centre", stream == "taught" && !options.contains("none")), ("temperature", options.contains("auto"))] {
            let found = try ["a1", "a2"].map { try place.document($0).tensors["training.loss.\(name)"] }
            #expect((found[0] != nil) == wanted && found[0] == found[1], "\(name)")
        }
    }

    @Test func `a loss is told of the teacher's first embeddings until it keeps something`() throws {
        let place = try Workplace.training()
        let result = try place.run("""
            set -e
            train-step --student student taught -q --loss 'tee seen.1 | queue-loss -q' -o 1
            train-step --student 1 taught -q --loss 'tee seen.2 | queue-loss -q' -o 2
            """)
        try #require(result.status == 0, "\(result.error)")
        let taught = try place.read("taught").records.flatMap { try $0.tensor("teacher", .f32, shape: [16, 16]).floats() }
        let (first, second) = (try place.read("seen.1").records, try place.read("seen.2").records)
        #expect(first[0].tensors["teacher.sample"] == Tensor(f32: taught, shape: [96, 16]))
        #expect(first.dropFirst().allSatisfy { $0.names == ["student", "teacher"] } && first.count == 6)
        try #require(second.count == 7)
        #expect(second[0].metadata["state"] == "1" && second.dropFirst().allSatisfy { $0.names == ["student", "teacher"] })
    }

    private static let hasPython = Workplace.runs("python3 -c 'import numpy, safetensors, zstandard'")

    /// A loss in Python: one minus the cosine.
    private static let cosine = """
        import json, sys, numpy, zstandard
        from safetensors.numpy import load, save
        def send(tensors, **metadata):
            sys.stdout.buffer.write(zstandard.ZstdCompressor(write_checksum=True).compress(save(tensors, metadata))); sys.stdout.flush()
        stream = zstandard.ZstdDecompressor().stream_reader(open(0, "rb", buffering=0), read_across_frames=True)
        send({}, format="tensor-stream/1")
        count = -1
        while True:
            length = stream.read(8); header = stream.read(int.from_bytes(length, "little")); entries = json.loads(header)
            if "end" in entries.pop("__metadata__", {}): break
            count += 1
            if not entries: continue
            record = load(length + header + stream.read(max(entry["data_offsets"][1] for entry in entries.values())))
            s, t = record["student"], record["teacher"]
            send({"loss": 1 - (s * t).sum(1), "gradient": -t / len(t)})
        send({}, end=str(count))
        """

    @Test(.enabled(if: hasPython, "python3 has no numpy, safetensors or zstandard")) func `a loss of a few lines of Python trains`() throws {
        let place = try Workplace.training()
        try place.write(Self.cosine, to: "cosine.py")
        let result = try place.run("""
            set -e
            train-step --student student taught --loss 'python3 cosine.py' --schedule constant --log log.0 --log-interval 1 -q -o a
            train-step --student a taught --loss 'python3 cosine.py' --schedule constant --log log.1 --log-interval 1 -q -o b
            """)
        try #require(result.status == 0, "\(result.error)")
        let losses = try ["log.0", "log.1"].map { try place.text($0).split(separator: "\n").compactMap { $0.split(separator: "\"loss\":").last?.split(separator: ",").first.flatMap { Double($0) } } }
        #expect(losses[0].count == 6 && losses[1].count == 6)
        #expect(losses[1].reduce(0, +) < losses[0].reduce(0, +) - 0.5)
        let provenance = try #require(try place.document("a").metadata["provenance"])
        #expect(provenance.hasSuffix("--loss 'python3 cosine.py'"))
    }

    @Test(arguments: [
        ("true", "the program ended with exit status 0"), ("exit 3", "the program ended with exit status 3"),
        ("kill -9 $$", "the program was killed by signal 9"), ("head -c 100 > /dev/null", "the program ended with exit status 0"),
        ("exec >&-; cat > /dev/null", "is empty where a tensor stream is expected"),
        ("echo rubbish and more rubbish; cat > /dev/null", "is not a tensor stream: it does not start with a zstd frame"),
        ("yes", "is not a tensor stream"), ("cat", "record 0: has no tensor 'loss'; it has student, teacher, teacher.sample"),
        ("queue-loss -q; exit 9", "gave all answers, but ended with exit status 9"),
        ("cat three; exec >&-; cat > /dev/null", "stopped answering before the last batch"), ("cat seven; exec >&-; cat > /dev/null", "gave more answers than it was asked for"),
        ("cat cut; exec >&-; cat > /dev/null", "record 3 is cut off"), ("cat narrow; exec >&-; cat > /dev/null", "has 'gradient' of F32 [16, 15] where F32 [16, 16] is expected"),
        ("cat short; exec >&-; cat > /dev/null", "has 'loss' of F32 [15] where F32 [16] is expected"), ("cat nan; exec >&-; cat > /dev/null", "the gradient is not finite at epoch 0, step 2"),
        ("cat infinite; exec >&-; cat > /dev/null", "the loss is inf at epoch 0, step 2"), ("cat views; exec >&-; cat > /dev/null", "has no tensor 'loss'; it has images, index, label"),
        ("cat student; exec >&-; cat > /dev/null", "is a plain safetensors file, not a tensor stream"),
    ])
    func `a loss that fails is told apart, and leaves no checkpoint`(program: String, words: String) throws {
        let place = try Workplace.training()
        let rows = { (count: Int, value: Float) in Tensor(f32: [Float](repeating: value, count: count * 16), shape: [16, count]) }
        let answers = { (name: String, count: Int, change: (inout TensorDocument) -> Void) in
            let writer = try StreamWriter(place.path(name), header: StreamHeader())
            for step in 0..<count {
                var answer = TensorDocument(tensors: ["loss": Tensor(f32: [Float](repeating: 1, count: 16), shape: [16]), "gradient": rows(16, 0.01)])
                if step == 2 { change(&answer) }
                try writer.write(answer)
            }
            try writer.commit()
        }
        try answers("three", 3) { _ in }
        try answers("seven", 7) { _ in }
        try answers("narrow", 6) { $0.tensors["gradient"] = rows(15, 0) }
        try answers("short", 6) { $0.tensors["loss"] = Tensor(f32: [Float](repeating: 1, count: 15), shape: [15]) }
        try answers("nan", 6) { $0.tensors["gradient"] = rows(16, .nan) }
        try answers("infinite", 6) { $0.tensors["loss"] = Tensor(f32: [Float](repeating: .infinity, count: 16), shape: [16]) }
        try place.write(try place.bytes("seven").prefix(try place.bytes("seven").count / 2), to: "cut")
        try place.expectFailure("train-step --student student taught -q -o out --loss '\(program)'", 65, words)
    }

    @Test func `a loss that dies between two batches is told with how it ended`() throws {
        let place = try Workplace.training()
        try place.write("", to: "reason")
        // queue-loss rejects the fourth record, of which train-step checks only the shape.
        try place.change("taught", into: "long") { number, record in
            var record = record
            if number == 3 { record.tensors["teacher"] = Tensor(f32: [Float](repeating: 1, count: 256), shape: [16, 16]) }
            return record
        }
        try place.expectFailure(
            "train-step --student student long -q -o out --loss 'queue-loss -q 2> reason'", 65, "ends after record 2 without its end record",
            "the program ended with exit status 65")
        #expect(try place.text("reason").contains("record 3: has row 0 of 'teacher' of length 4.00"))
    }
}

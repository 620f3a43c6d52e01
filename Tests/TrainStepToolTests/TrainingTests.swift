import TensorStreams
import TestSupport
import Testing

struct TrainingTests {
    @Test(arguments: [
        ("seed", "taught"), ("moco-v2", "pairs"), ("supervised-contrastive", "pairs"), ("moco-v1", "pairs"), ("simclr", "pairs"), ("byol", "pairs"), ("simsiam", "pairs"),
        ("barlow-twins", "pairs"), ("supervised", "views"), ("simreg", "featured"), ("compress-2q", "featured"), ("seed-batch", "taught"), ("kd", "logits"),
    ])
    func `one thread and two give equal bytes, and so do two runs`(objective: String, stream: String) throws {
        let place = try Workplace.training()
        try place.perform("embed --weights teacher --features views -q -o featured && initialize -q --from student --classes 4 -o classifier && embed --weights classifier --logits views -q -o logits")
        let student = ["supervised", "kd"].contains(objective) ? "classifier" : "student"
        for (name, threads) in [("a", 1), ("b", 2), ("c", 2)] {
            let result = try place.run("train-step --objective \(objective) --student \(student) \(stream) --threads \(threads) -o \(name)")
            #expect(result.status == 0, "\(result.error)")
        }
        #expect(try place.bytes("a") == place.bytes("b"))
        #expect(try place.bytes("b") == place.bytes("c"))
        #expect(try place.bytes("a") != place.bytes(student))
    }

    @Test func `embeddings and features do not depend on threads or on the batch`() throws {
        let place = try Workplace.training()
        for kind in ["", "--features"] {
            for (name, threads) in [("a", 1), ("b", 2)] {
                try #require(try place.run("embed --weights teacher \(kind) views --drop images --threads \(threads) -o \(name)").status == 0)
            }
            #expect(try place.bytes("a") == place.bytes("b"))
            let name = kind.isEmpty ? "teacher" : "features"
            let rows = try place.read("a").records.flatMap { try $0.tensor(name, .f32, shape: [16, nil]).floats() }
            #expect(rows.count == 96 * (kind.isEmpty ? 16 : 128))
            try place.run("augment --data pictures/train --size 16 --batch 5 -q | embed --weights teacher \(kind) -q -o c")
            // Products with other shapes may sum in a different order.
            let others = try place.read("c").records.flatMap { try $0.tensor(name, .f32, shape: [nil, nil]).floats() }
            #expect(others.count == rows.count && zip(others, rows).allSatisfy { abs($0 - $1) < 1e-4 })
        }
    }

    @Test(arguments: ["", "--teacher-temperature auto", "--centre none"])
    func `an epoch by itself is the epoch among others`(more: String) throws {
        let place = try Workplace.training()
        let options = "--epochs 2 --schedule smooth --queue-size 40 \(more) -q"
        let result = try place.run("""
            set -e
            augment --data pictures/train --size 16 --batch 16 --epoch 1 -q | embed --weights teacher -q -o second
            augment --data pictures/train --size 16 --batch 16 --epochs 2 -q | embed --weights teacher -q -o both
            train-step \(options) --student student taught -o 1
            train-step \(options) --student 1 second -o 2
            train-step \(options) --student student both -o 2b
            """)
        try #require(result.status == 0, "\(result.error)")
        let (apart, together) = (try place.document("2"), try place.document("2b"))
        #expect(apart.tensors == together.tensors)
        #expect(apart.metadata["kl"] != nil && apart.metadata["kl"] == together.metadata["kl"])
        #expect((apart.tensors["training.loss.centre"] == nil) == more.contains("none"))
        #expect(apart.metadata["epoch"] == "2" && together.metadata["epoch"] == "2" && apart.metadata["steps"] == "12")
        #expect(try place.document("1").tensors != apart.tensors)
    }

    /// Dropout and stochastic depth depend only on seed, epoch and step, whatever the number of threads and whatever
    /// ran before.
    @Test(arguments: ["mobilenet-v3-large", "efficientnet-b0"])
    func `networks that leave out at random end in the same bytes too`(network: String) throws {
        let place = try Workplace.training()
        let options = "--epochs 2 --schedule smooth --queue-size 40 -q"
        let result = try place.run("""
            set -e
            initialize --network \(network) --embedding 16 -q -o mobile
            augment --data pictures/train --size 16 --batch 16 --epoch 1 -q | embed --weights teacher -q -o second
            augment --data pictures/train --size 16 --batch 16 --epochs 2 -q | embed --weights teacher -q -o both
            train-step \(options) --student mobile taught --threads 2 -o 1
            train-step \(options) --student 1 second --threads 2 -o 2
            train-step \(options) --student mobile taught --threads 1 -o 1b
            train-step \(options) --student mobile both --threads 1 -o 2b
            """)
        try #require(result.status == 0, "\(result.error)")
        #expect(try place.bytes("1") == place.bytes("1b"))
        #expect(try place.document("2").tensors == place.document("2b").tensors)
        #expect(try place.document("1").tensors != place.document("2").tensors)
    }

    /// The mean of the key in the lines of a log.
    private func mean(_ key: String, _ log: String) throws -> Double {
        let values = try log.split(separator: "\n").map { line -> Double in
            guard case .object(let object) = try JSON(parsing: Array(line.utf8)), case .number(let value)? = object[key] else { return .nan }
            return value
        }
        return values.reduce(0, +) / Double(values.count)
    }

    /// The early loss is that of the second epoch: in the first the queue still holds random rows, which are easy to
    /// tell apart.
    @Test(arguments: [
        ("seed", "kl", 0.15, 10, "taught --learning-rate 0.003 --queue-size 32 --teacher-temperature 0.02"),
        ("moco-v2", "loss", 1.5, 15, "pairs --learning-rate 0.003 --queue-size 32 --key-momentum 0.9 --student-temperature 0.07"),
        ("supervised-contrastive", "loss", 0.5, 10, "pairs --learning-rate 0.01 --student-temperature 0.5"),
    ])
    func `some epochs on a few images lower the loss`(objective: String, key: String, by amount: Double, epochs: Int, options: String) throws {
        let place = try Workplace.training()
        let result = try place.run("""
            cp student 0
            for e in `seq 0 \(epochs - 1)`; do
              train-step --objective \(objective) --schedule constant \(options) --student $e --log log.$e -q -o $((e + 1)) || exit
            done
            """)
        try #require(result.status == 0, "\(result.error)")
        let (early, late) = (try mean(key, try place.text("log.1")), try mean(key, try place.text("log.\(epochs - 1)")))
        #expect(late < early - amount, "\(early) \(late)")
    }

    @Test func `a base learning rate is that of batches of 256, and grows with the root of the batch`() throws {
        let place = try Workplace.training()
        try #require(try place.run("""
            train-step --student student taught --schedule smooth --base-learning-rate 0.04 -q -o base; train-step --student student taught --schedule smooth --learning-rate 0.01 -q -o own
            augment --data pictures/train --size 16 --batch 16 --limit 16 -q | embed --weights teacher -q -o stream
            """).status == 0)
        #expect(try place.document("base").tensors == place.document("own").tensors)
        let stream = try place.read("stream")
        var header = stream.header
        header.metadata["batch"] = nil
        let writer = try StreamWriter(place.path("anonymous"), header: header)
        for record in stream.records { try writer.write(record) }
        try writer.commit()
        try place.expectFailure("train-step --student student anonymous --schedule smooth --base-learning-rate 0.04 -q -o out", 65, "anonymous: does not say how large its batches are")
    }

    @Test func `a log has a line for every interval, with the numbers that tell how it goes`() throws {
        let place = try Workplace.training()
        try #require(try place.run("train-step --student student taught --queue-size 40 --log log --log-interval 4 -o out").status == 0)
        let lines = try place.text("log").split(separator: "\n")
        #expect(lines.count == 2)
        for key in [
            "epoch", "step", "images", "seconds", "loss", "floor", "kl", "uniform_loss", "queue_real", "agreement", "learning_rate", "gradient_norm",
            "images_per_second", "waiting", "student_cosine", "teacher_cosine", "teacher_temperature", "centre",
        ] { #expect(lines.allSatisfy { $0.contains("\"\(key)\":") }, "\(key)") }
        #expect(lines[0].contains(#""step":3,"images":64"#) && lines[1].contains(#""step":5,"images":32"#))
        #expect(lines[1].contains(#""queue_real":1"#))
    }

    @Test func `convert-weights leaves the network and nothing of its training`() throws {
        let place = try Workplace.training()
        let result = try place.run("""
            set -e
            train-step --student student taught -q -o next
            convert-weights next -q -o whole; convert-weights next --half -q -o half.zst; convert-weights next --backbone -q -o backbone
            """)
        try #require(result.status == 0, "\(result.error)")
        let next = try place.document("next").tensors
        let (whole, half, backbone) = (try place.document("whole").tensors, try place.document("half.zst").tensors, try place.document("backbone").tensors)
        #expect(whole == next.filter { !$0.key.hasPrefix("training.") } && whole.count < next.count)
        #expect(backbone == whole.filter { !$0.key.hasPrefix("fc.") } && backbone.count == whole.count - 4)
        #expect(half.keys == whole.keys && half["conv1.weight"]?.dtype == .f16 && half["bn1.num_batches_tracked"]?.dtype == .i64)
        // The exported weights embed like the trained ones.
        for (name, weights) in [("a", "next"), ("b", "whole")] { try place.run("embed --weights \(weights) views -q -o \(name)") }
        #expect(try place.read("a").records == place.read("b").records)
    }

    @Test func `initialize gives equal bytes for equal seeds and others for another`() throws {
        let place = try Workplace()
        try place.run("for s in 1 1 2; do initialize --network tiny-resnet10 --seed $s -q -o $((++n)); done")
        #expect(try place.bytes("1") == place.bytes("2"))
        #expect(try place.document("1").tensors != place.document("3").tensors)
        try place.run("initialize --network tiny-resnet10 --embedding 0 -q -o 4.safetensors.zst")
        #expect(try place.document("4.safetensors.zst").names.allSatisfy { !$0.hasPrefix("fc.") })
    }
}

import Kernels
import Networks
import Objectives
import Optimizers
import Ranks
import TensorStreams
import TestSupport
import Testing
import ToolSupport
import Training

/// Rows, labels and images for all methods.
private struct Case {
    /// Images; width of all teacher outputs; rows of queues.
    let N: Int, D: Int, K: Int
    let header: StreamHeader

    init(N: Int, D: Int, K: Int, epochs: Int = 1, records: Int = 1) {
        (self.N, self.D, self.K) = (N, D, K)
        header = StreamHeader(metadata: ["samples": "1000", "batch": "\(N)", "dimension": "\(D)", "classes": "[\"a\",\"b\",\"c\"]", "epochs": "\(epochs)", "records": "\(records)"])
    }

    func unit(_ rows: [Float], _ D: Int) -> [Float] {
        stride(from: 0, to: rows.count, by: D).flatMap { start in
            let row = rows[start..<(start + D)], norm = row.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            return row.map { Float(Double($0) / norm) }
        }
    }

    /// - Parameters:
    ///   - views: views in each group of crops; the images of the second group have three fifths of the side.
    ///   - images: bytes of two views in place of the formula's; the second group then repeats those of the first.
    func record(_ name: String, views: [Int], size: Int, epoch: Int = 0, step: Int = 0, images: [UInt8]? = nil) -> TensorDocument {
        let pixels = size * size * 3
        func byte(_ u: Float) -> UInt8 { UInt8(min(255, max(0, ((u + 1) * 127.5).rounded(.down)))) }
        let bytes: [UInt8] = images ?? formula("images.\(name)", N * max(2, views[0]) * pixels).map(byte)
        let all = bytes.count / N, one = (0..<N).flatMap { n in bytes[n * all..<n * all + views[0] * pixels] }
        var document = TensorDocument(metadata: ["epoch": "\(epoch)", "step": "\(step)"].merging(views[0] == 3 ? ["mix": "0.7"] : [:]) { $1 }, tensors: [
            "images": Tensor(u8: one, shape: [N, views[0], size, size, 3]), "label": Tensor(i32: (0..<N).map { Int32($0 % 3) }, shape: [N]),
            "teacher": Tensor(f32: unit(formula("teacher.\(name)", N * D), D), shape: [N, D]),
            "features": Tensor(f32: formula("features.\(name)", N * D), shape: [N, D]),
            "logits": Tensor(f32: formula("logits.\(name)", N * D).map { 3 * $0 }, shape: [N, D]),
            "teacher.0": Tensor(f32: unit(formula("teacher.0.\(name)", N * 2 * D), D), shape: [N, 2, D]),
        ])
        for (teacher, D) in [("a", D * 3 / 7), ("b", D - D * 3 / 7)] {
            document.tensors["teacher.\(teacher)"] = Tensor(f32: unit(formula("teacher.\(teacher).\(name)", N * D), D), shape: [N, D])
        }
        if views.count > 1 {
            let V = views[1], small = size * 3 / 5, count = N * V * small * small * 3
            document.tensors["images.1"] = Tensor(
                u8: images.map { all in (0..<count).map { all[$0 % all.count] } } ?? formula("small.\(name)", count).map(byte), shape: [N, V, small, small, 3])
            document.tensors["teacher.1"] = Tensor(f32: unit(formula("teacher.1.\(name)", N * V * D), D), shape: [N, V, D])
        }
        return document
    }

    /// A method's state, from the formula. SEED and MoCo have a queue of unit rows, CompRess has memories of any rows.
    func state(_ name: String, studentWidth: Int) -> [String: Tensor] {
        let place = { (name: String) in [name + ".position": Tensor(i64: [0], shape: [1]), name + ".filled": Tensor(i64: [0], shape: [1])] }
        func queue(_ prefix: String, _ rows: String, D: Int? = nil) -> [String: Tensor] {
            let D = D ?? self.D
            return place(prefix + "queue").merging([prefix + "queue": Tensor(f32: unit(formula(rows, K * D), D), shape: [K, D])]) { $1 }
        }
        switch name {
        case "moco-v1", "moco-v2", "seed", "disco", "bingo": return queue("", "queue")
        case smallPatches: return queue("", "queue").merging(queue("small.", "small queue")) { $1 }
        case "seed-teachers":
            let part = { (number: Int64) in Tensor(i64: [number], shape: [1]) }
            return queue("a.", "queue a", D: D * 3 / 7).merging(queue("b.", "queue b", D: D - D * 3 / 7)) { $1 }.merging(["a.part": part(0), "b.part": part(1)]) { $1 }
        case "queue-kl": return place("features").merging(["features": Tensor(f32: formula("memory", K * D), shape: [K, D])]) { $1 }
        case "compress-1q": return place("anchors.teacher").merging(["anchors.teacher": Tensor(f32: formula("memory", K * D), shape: [K, D])]) { $1 }
        case "compress-2q":
            return place("anchors.teacher").merging(place("anchors.student")) { $1 }.merging([
                "anchors.teacher": Tensor(f32: formula("memory", K * D), shape: [K, D]),
                "anchors.student": Tensor(f32: formula("student memory", K * studentWidth), shape: [K, studentWidth]),
            ]) { $1 }
        default: return [:]
        }
    }

    /// Views in each group of crops.
    func views(_ name: String) throws -> [Int] {
        switch name {
        case "swav", "swav-distillation": [2, 3]
        case smallPatches: [1, 3]
        default: try method(name).inputs.leastViews
        }
    }

    /// Loss and output gradients of a new objective.
    func loss(_ name: String, _ options: MethodOptions, _ rows: [[Float]], kept: [String: Tensor], change: (inout TensorDocument) -> Void = { _ in }) throws -> Loss {
        let method = try method(name), views = try views(name)
        var objective = try method.init(options, TrainingFacts(header: header))
        try objective.restore(kept)
        var outputs = Outputs()
        var record = record("loss", views: views, size: 20)
        change(&record)
        for tensor in objective.sampledTensors { objective.setSample(try #require(record.tensors[tensor]), of: tensor) }
        for (pass, rows) in zip(method.passes(options), rows) where !rows.isEmpty { outputs[pass] = PassOutput(rows, N: rows.count / D, D: D) }
        return try objective.loss(outputs, Batch(record, N: N, views: views, epoch: 0, step: 0))
    }

    /// Outputs of all passes; those of skipped passes are empty.
    func rows(_ name: String, _ options: MethodOptions) throws -> [[Float]] {
        let views = try views(name)
        return try method(name).passes(options).enumerated().map { i, pass in formula("\(name).\(i)", pass.rows(N: N, views: views) * D) }
    }
}

/// Records from a list.
private final class Listed: RecordSource {
    let header: StreamHeader
    private var records: [TensorDocument]
    let name = "a list"

    init(header: StreamHeader, records: [TensorDocument]) { (self.header, self.records) = (header, records) }
    func next() -> TensorDocument? { records.isEmpty ? nil : records.removeFirst() }
}

extension BatchSlice {
    /// The slice's part of a whole record.
    fileprivate func part(of record: TensorDocument, places: Int) -> TensorDocument {
        let own = self.places(in: places), broken = record.brokenPlaces
        let rows = own.lowerBound - broken.filter { $0 < own.lowerBound }.count..<own.upperBound - broken.filter { $0 < own.upperBound }.count
        let here = broken.filter(own.contains).map(String.init)
        var part = record
        part.metadata["broken"] = here.isEmpty ? nil : here.joined(separator: " ")
        for (name, tensor) in record.tensors {
            let length = tensor.byteCount / tensor.shape[0]
            part.tensors[name] = Tensor(dtype: tensor.dtype, shape: [rows.count] + tensor.shape.dropFirst()) { target in
                tensor.withBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[rows.lowerBound * length..<rows.upperBound * length])) }
            }
        }
        return part
    }
}

/// SEED on a stream with small crops.
private let smallPatches = "seed-small-patches"

/// Classifiers whose trunk learns less, or not at all, and one whose loss is also averaged over the classes.
private let variants = ["kd-trunk-rate": "kd", "supervised-frozen": "supervised", "kd-class-mean": "kd"]

private func method(_ name: String) throws -> any Objective.Type { try #require(Methods.named(name == smallPatches ? "seed" : variants[name] ?? name)) }

private let golden10: [String] = [
    "moco-v1", "simclr", "byol", "simsiam", "barlow-twins", "simreg", "compress-1q", "compress-2q", "seed-batch", "kd", "kd-class-mean", "supervised", "swav",
    smallPatches, "disco", "kd-trunk-rate", "supervised-frozen", "swav-distillation", "queue-kl", "feature-mse", "bingo", "seed-teachers",
]
private let names = Methods.names + [smallPatches] + variants.keys.sorted()

@Suite struct MethodTests {
    /// SEED without extensions to the paper.
    private let published = ["centre": "none", "teacher-temperature": "0.01"]
    private var twoTeachers: [String: String] { published.merging(["teacher-weights": "1,0.5"]) { $1 } }

    @Test(arguments: golden10)
    func `a loss and its gradients are those of the authors' code`(_ name: String) throws {
        let given = [
            "simclr": ["loss-sum": "on"], smallPatches: published, "seed-teachers": twoTeachers, "disco": ["distance-weight": "5"], "bingo": ["bag-epoch": "0"],
            "swav-distillation": ["sinkhorn-epsilon": "0.3"], "kd-class-mean": ["class-mean": "on"],
        ]
        try compare(name, given[name] ?? [:], with: Golden("methods"))
    }

    @Test(arguments: ["moco-v1", "moco-v2", "simclr", "byol", "simsiam", "barlow-twins", "swav", "queue-kl", "feature-mse"])
    func `a loss and its gradients are lightly's and lightly-train's`(_ name: String) throws {
        try compare(name, [:], with: Golden("lightly-losses"))
    }

    private func compare(_ name: String, _ given: [String: String], with golden: Golden) throws {
        let method = try method(name), place = Case(N: 5, D: 7, K: 11)
        let options = try method.completed(MethodOptions(given), place.header)
        let loss = try place.loss(name, options, place.rows(name, options), kept: place.state(name, studentWidth: 7))
        let expected = try golden.doubles("\(name).loss")[0]
        #expect(abs(loss.value - expected) <= 1e-5 * max(1, abs(expected)), "\(loss.value) where PyTorch has \(expected)")
        var count = 0
        for (i, pass) in method.passes(options).enumerated() where golden.has("\(name).gradient.\(i)") {
            count += 1
            let error = relativeError(try #require(loss.gradients[pass.name]), try golden.doubles("\(name).gradient.\(i)"))
            #expect(error < 2e-5, "\(pass.name): \(error)")
        }
        #expect(count == loss.gradients.count)
    }

    // SwAV's gradient treats its assignments as constants.
    @Test(arguments: names.filter { $0 != "swav" })
    func `the gradient is the derivative of the loss, at odd sizes`(_ name: String) throws {
        let method = try method(name)
        for (N, D) in [(5, 7), (3, 17), (2, 5)] {
            let place = Case(N: N, D: D, K: 13), options = try method.completed(MethodOptions(method.name.hasPrefix("seed") && method.name != "seed-batch" ? ["centre": "none", "teacher-temperature": "0.1"] : [:]), place.header)
            let rows = try place.rows(name, options), kept = place.state(name, studentWidth: D)
            let loss = try place.loss(name, options, rows, kept: kept), passes = method.passes(options)
            var slope = 0.0, size = 0.0, directions: [[Float]] = []
            for (pass, rows) in zip(passes, rows) {
                let direction = loss.gradients[pass.name].map { _ in formula("direction.\(pass.name)", rows.count) } ?? [Float](repeating: 0, count: rows.count)
                directions.append(direction)
                for (d, g) in zip(direction, loss.gradients[pass.name] ?? []) {
                    slope += Double(d) * Double(g)
                    size += Double(g) * Double(g)
                }
            }
            let step: Float = 2e-3
            func moved(_ sign: Float) throws -> Double {
                try place.loss(name, options, zip(rows, directions).map { zip($0, $1).map { $0 + sign * step * $1 } }, kept: kept).value
            }
            let difference = try (moved(1) - moved(-1)) / Double(2 * step)
            #expect(abs(difference - slope) <= 2e-3 * size.squareRoot() * Double(rows[0].count).squareRoot() + 1e-3, "\(N) by \(D): \(difference) where the gradient has \(slope)")
        }
    }

    private func head(_ name: String) -> Head {
        switch name {
        case "simclr": Head([.linear(40, bias: false), .batchNorm(), .relu, .linear(24, bias: false), .batchNormWithoutBias])
        case "byol": Head([.linear(40), .batchNorm(), .relu, .linear(24, bias: false)])
        case "simsiam": Head([.linear(40, bias: false), .batchNorm(), .relu, .linear(24), .batchNorm(affine: false)])
        case "swav-distillation": Head([.linear(40), .batchNorm(), .relu, .linear(24)])
        case "swav": Head([.linear(40), .batchNorm(), .relu, .linear(24), .l2Norm])
        case "barlow-twins": Head([.linear(40, bias: false), .batchNorm(), .relu, .linear(24, bias: false)])
        default: .linear(24)
        }
    }

    private func options(_ name: String) -> [String: String] {
        switch name {
        case "moco-v1", "moco-v2", "compress-2q": ["key-momentum": "0.9"]
        case "simclr": ["loss-sum": "on"]
        case "byol": ["target-momentum": "0.9", "predictor-width": "40"]
        case "simsiam": ["predictor-width": "16"]
        case "swav": ["prototypes": "10", "swav-queue": "16", "queue-epoch": "1", "freeze-prototypes": "3"]
        case "disco": ["key-momentum": "0.9", "distance-weight": "8"]
        case "swav-distillation": ["sinkhorn-epsilon": "0.3", "score-queue": "16"]
        case "seed-teachers": twoTeachers
        case "bingo": ["bag-epoch": "1"]
        case smallPatches: published
        case "kd-trunk-rate": ["trunk-rate": "0.1"]
        case "kd-class-mean": ["class-mean": "on"]
        case "supervised-frozen": ["freeze-trunk": "on"]
        default: [:]
        }
    }

    /// Settings of the ten steps of `Tests/golden/methods.py`: two epochs of five.
    private func training(_ name: String, _ place: Case) throws -> TrainingOptions {
        var options = TrainingOptions()
        options.method = try method(name)
        options.methodOptions = try options.method.completed(MethodOptions(self.options(name)), place.header)
        options.epochs = 2
        options.normalizationGroups = 1
        switch name {
        case "moco-v1": options.schedule = .steps(rate: 0.02, milestones: [1])
        case "simclr": options.schedule = .warmUpCosine(rate: 0.1, epochs: 2, warmUp: 1)
        case "byol": options.schedule = .warmUpCosine(rate: 1, epochs: 2, warmUp: 1)
        case "queue-kl", "feature-mse": options.schedule = .warmUpCosine(rate: 1, epochs: 2, warmUp: 1)
        case "barlow-twins": options.schedule = .warmUpCosine(rate: 1, epochs: 2, warmUp: 1, end: 0.001)
        case "swav": options.schedule = .swav(rate: 4, epochs: 2, warmUp: 1, start: 0.3, end: 0.004)
        case "swav-distillation": options.schedule = .swav(rate: 0.4, epochs: 2, warmUp: 1, start: 0.03, end: 0.0004)
        case "disco", "bingo": options.schedule = .cosine(rate: 0.02, epochs: 2)
        case "simsiam", "simreg": options.schedule = .cosine(rate: 0.05, epochs: 2)
        case "compress-1q", "compress-2q": options.schedule = .steps(rate: 0.01, milestones: [1], factor: 0.2)
        case "kd": options.schedule = .constant(rate: 0.001)
        case "supervised", "kd-trunk-rate": options.schedule = .steps(rate: 0.005, milestones: [1])
        case "supervised-frozen": options.schedule = .steps(rate: 0.0005, milestones: [1])
        default: options.schedule = .constant(rate: 0.02)
        }
        switch name {
        case "simclr": options.optimizer = LARS(.larsSimCLR, weightDecay: 1e-4)
        case "byol": options.optimizer = LARS(.larsBYOL, weightDecay: 1e-4)
        case "barlow-twins", "queue-kl", "feature-mse": options.optimizer = LARS(.lars, weightDecay: 1e-4)
        case "swav", "swav-distillation": options.optimizer = LARS(.larc, weightDecay: 1e-4)
        case "kd-class-mean": options.longestGradient = 0.2
        case "kd": options.optimizer = Adam(.adamW, weightDecay: 0.01)
        default: options.optimizer = SGD()
        }
        return options
    }

    /// A student from the formula, and the additional head if the method has one.
    private func begin(_ name: String, _ options: TrainingOptions, _ place: Case, head: Head? = nil) throws -> TrainingState {
        let network = try #require(Network("tiny-resnet10", head: head ?? self.head(name)))
        var state = TrainingState(formulaWeights(network), provenance: Provenance())
        for model in options.method.models(options.methodOptions) {
            guard case .head(let output, let head) = model.kind else { continue }
            let width = output == .features ? network.featureWidth : network.embeddingWidth
            state.others[model.name] = TrainingState.Other(formulaWeights(Network(head(width), inputs: width)))
        }
        state.objective = place.state(name, studentWidth: network.featureWidth)
        return state
    }

    @Test func `BYOL's average begins as a copy, or with other numbers that are drawn from the seed`() throws {
        let place = Case(N: 8, D: 24, K: 20)
        func target(_ given: [String: String], seed: UInt64) throws -> [Float] {
            var options = try training("byol", place)
            options.methodOptions = try options.method.completed(MethodOptions(given.merging(["target-momentum": "1", "predictor-width": "40"]) { $1 }), place.header)
            options.seed = seed
            let trainer = try Trainer(begin("byol", options, place), options, header: place.header)
            _ = try trainer.step(place.record("0", views: [2], size: 20))
            return Array(try #require(trainer.finish().others["target"]).weights.parameters.buffer)
        }
        let student = try begin("byol", training("byol", place), place).weights
        #expect(try target([:], seed: 0) == Array(student.parameters.buffer))
        let drawn = try target(["target-copy": "off"], seed: 0)
        #expect(drawn != Array(student.parameters.buffer) && drawn.contains { $0 != 0 })
        #expect(try target(["target-copy": "off"], seed: 0) == drawn && target(["target-copy": "off"], seed: 1) != drawn)
    }

    @Test(arguments: golden10)
    func `ten training steps have the losses of the authors' code`(_ name: String) throws {
        let place = Case(N: 8, D: 24, K: 20, epochs: 2, records: 10), options = try training(name, place)
        let trainer = try Trainer(try begin(name, options, place), options, header: place.header)
        for (step, expected) in try Golden("methods").doubles("\(name).steps").enumerated() {
            let report = try trainer.step(place.record("\(step)", views: place.views(name), size: 20, epoch: step / 5, step: step % 5))
            #expect(abs(report.loss - expected) <= 1e-3 * max(0.1, abs(expected)), "step \(step): \(report.loss) where PyTorch has \(expected)")
            // Features that do not move are not watched.
            if options.methodOptions.text("freeze-trunk") != nil { continue }
            #expect(report["spread"].map { $0 > 0 && $0 < 2 } == true && report["effective_rank"].map { $0 >= 1 && $0 < 16 } == true && report["student_cosine"] != nil)
        }
    }

    private func made(_ name: OptimizerName) -> any Optimizer {
        if name.family == .lars { return LARS(name) }
        if name.family == .adam { return Adam(name) }
        return SGD()
    }

    @Test(arguments: names.map { ($0, OptimizerName.sgd) } + [("swav", .larc), ("byol", .adamW), ("simsiam", .adam), ("simreg", .larc), ("simclr", .larsSimCLR)])
    func `two epochs are the same, whether stopped between or not`(_ name: String, _ optimizer: OptimizerName) throws {
        let place = Case(N: 6, D: 24, K: 20, epochs: 2, records: 6), files = try Workplace(), path = files.path("state.safetensors")
        var options = try training(name, place)
        options.schedule = .warmUpCosine(rate: optimizer.family == .adam ? 1e-3 : 0.01, epochs: 2, warmUp: 1)
        options.optimizer = made(optimizer)
        options.seed = 5
        func epoch(_ epoch: Int, _ trainer: Trainer) throws {
            for step in 0..<3 {
                let record = try place.record("\(epoch).\(step)", views: place.views(name), size: 20, epoch: epoch, step: step)
                if step == 0 { for tensor in trainer.sampledTensors { trainer.setSample(try #require(record.tensors[tensor]), of: tensor) } }
                _ = try trainer.step(record)
            }
        }
        let whole = try Trainer(try begin(name, options, place), options, header: place.header)
        try epoch(0, whole)
        try epoch(1, whole)
        let stopped = try Trainer(try begin(name, options, place), options, header: place.header)
        try epoch(0, stopped)
        try DocumentFile.write(stopped.finish().document(), to: path)
        let read = try TrainingState(reading: path, for: options.method, options.methodOptions, optimizer: options.optimizer)
        let goingOn = try Trainer(read, options, header: place.header)
        try epoch(1, goingOn)
        let (expected, found) = (try whole.finish().document(), try goingOn.finish().document())
        #expect(expected.names == found.names && expected.metadata["optimizer"] == (optimizer == .sgd ? nil : optimizer.rawValue))
        for name in expected.names { #expect(expected.tensors[name] == found.tensors[name], "\(name)") }
        // Another method or optimizer does not resume it.
        let other: any Objective.Type = name == "simclr" ? BYOL.self : SimCLR.self
        #expect(failure { _ = try TrainingState(reading: path, for: other, optimizer: options.optimizer) }?.description.contains("belongs to a training by \(options.method.name)") == true)
        let another = made(optimizer == .larc ? .sgd : .larc)
        #expect(failure { _ = try TrainingState(reading: path, for: options.method, options.methodOptions, optimizer: another) }?.description
            .contains("--optimizer \(optimizer.rawValue)") == true)
    }

    @Test(arguments: names.map { ($0, OptimizerName.sgd) } + [("swav", .larc), ("byol", .adamW)])
    func `an epoch is the same, whether stopped in its middle or not`(_ name: String, _ optimizer: OptimizerName) throws {
        let place = Case(N: 6, D: 24, K: 20, epochs: 2, records: 10), files = try Workplace(), path = files.path("state.safetensors")
        var options = try training(name, place)
        options.schedule = .warmUpCosine(rate: optimizer.family == .adam ? 1e-3 : 0.01, epochs: 2, warmUp: 1)
        options.optimizer = made(optimizer)
        options.seed = 5
        func steps(_ steps: Range<Int>, _ trainer: Trainer) throws {
            for step in steps {
                let record = try place.record("\(step)", views: place.views(name), size: 20, epoch: step / 5, step: step % 5)
                if step == 0 { for tensor in trainer.sampledTensors { trainer.setSample(try #require(record.tensors[tensor]), of: tensor) } }
                if !trainer.isDone(record) { _ = try trainer.step(record) }
            }
        }
        var begun = try begin(name, options, place)
        let whole = try Trainer(begun, options, header: place.header)
        try steps(0..<5, whole)
        let expected = try whole.finish().document()
        // Stop after each batch but the last; the resumed training is given the finished batches again, or not.
        for stop in 1..<5 {
            begun = try begin(name, options, place)
            let stopped = try Trainer(begun, options, header: place.header)
            try steps(0..<stop, stopped)
            let state = try #require(try stopped.interim(key: "k"))
            // It is a copy: later training does not change it.
            try DocumentFile.write(state.document(), to: path)
            try steps(stop..<5, stopped)
            let same = try stopped.finish().document() == expected
            #expect(same, "saved behind batch \(stop)")
            var header = place.header
            if stop % 2 == 0 { header.metadata[StreamHeader.firstBatch] = "\(stop)" }
            let read = try TrainingState(reading: path, for: options.method, options.methodOptions, optimizer: options.optimizer)
            #expect(read.interim?.batch == stop && read.interim?.key == "k" && read.epoch == 0)
            let goingOn = try Trainer(read, options, header: header)
            try steps((stop % 2 == 0 ? stop : 0)..<5, goingOn)
            let found = try goingOn.finish().document()
            #expect(expected.names == found.names && expected.metadata == found.metadata)
            for name in expected.names {
                let same = expected.tensors[name] == found.tensors[name]
                #expect(same, "\(name), behind batch \(stop)")
            }
            header.metadata[StreamHeader.firstBatch] = "\(stop + 1)"
            #expect(failure { _ = try Trainer(read, options, header: header) }?.what == "the stream begins with batch \(stop + 1) of its epoch where batch \(stop) is next")
        }
        try steps(5..<6, whole)
        #expect(try whole.interim(key: "k") == nil || place.header.metadata["epochs"] != "2")
    }

    /// The state of a training run after some steps of N images.
    private func trained(_ name: String, N: Int, steps: Int = 3, head: Head? = nil, _ change: (inout TrainingOptions) -> Void) throws -> (losses: [Double], document: TensorDocument) {
        let place = Case(N: N, D: 24, K: 20, records: steps)
        var options = try training(name, place)
        options.schedule = .constant(rate: 1e-3)
        options.optimizer = SGD()
        change(&options)
        let trainer = try Trainer(try begin(name, options, place, head: head), options, header: place.header)
        let losses = try (0..<steps).map { step -> Double in
            let record = try place.record("\(step)", views: place.views(name), size: 20, step: step)
            if step == 0 { for tensor in trainer.sampledTensors { trainer.setSample(try #require(record.tensors[tensor]), of: tensor) } }
            return try trainer.step(record).loss
        }
        return (losses, try trainer.finish().document())
    }

    @Test(arguments: names)
    func `activations that are made again leave the same bytes, of groups that are not even too`(_ name: String) throws {
        for (N, groups) in [(6, 1), (7, 3)] {
            let (kept, again) = try (
                trained(name, N: N) { $0.batchGroups = groups },
                trained(name, N: N) { ($0.batchGroups, $0.recomputes) = (groups, true) })
            #expect(kept.losses == again.losses && kept.document.names == again.document.names)
            for name in kept.document.names { #expect(kept.document.tensors[name] == again.document.tensors[name], "\(N) images, \(name)") }
        }
    }

    // If a head normalises the rows of several passes together, a group has different rows.
    @Test(arguments: names)
    func `groups of a batch learn what batch norm's groups do`(_ name: String) throws {
        let head = name == "swav" ? Head([.linear(40), .relu, .linear(24), .l2Norm]) : name == "swav-distillation" ? Head([.linear(40), .relu, .linear(24)]) : nil
        let (apart, together) = try (
            trained(name, N: 16, steps: 2, head: head) { ($0.batchGroups, $0.normalizationGroups) = (2, 2) },
            trained(name, N: 16, steps: 2, head: head) { $0.normalizationGroups = 2 })
        // Only rounding differs, amplified by batch norms over few images.
        for (found, expected) in zip(apart.losses, together.losses) { #expect(abs(found - expected) <= 1e-4 * max(1, abs(expected)), "\(found) where the whole batch has \(expected)") }
        #expect(apart.document.names == together.document.names)
        for name in together.document.names {
            guard let expected = together.document.tensors[name], let found = apart.document.tensors[name] else { continue }
            // A gradient that a batch norm cancels consists of rounding errors only.
            if expected.dtype == .f32, name.contains("momentum"), name.hasSuffix("bias") { continue }
            if expected.dtype == .f32 {
                #expect(relativeError(try found.floats(), try expected.floats().map(Double.init)) < 1e-2, "\(name)")
            } else {
                #expect(found == expected, "\(name)")
            }
        }
        // A group has at least two images.
        let (many, each) = try (trained("seed", N: 5, steps: 1) { $0.batchGroups = 8 }, trained("seed", N: 5, steps: 1) { $0.batchGroups = 2 })
        #expect(many.document.tensors == each.document.tensors)
    }

    // All queues and statistics move; the number of groups is not divisible by three, nor the number of images by the
    // number of groups. Two images are broken: from two groups, or all of one group, the last one of the first of four
    // ranks.
    @Test(arguments: names, [[3, 4], [2, 3]])
    func `any number of ranks learns what one process does, to the last byte`(_ name: String, _ broken: [Int]) throws {
        let groups = 8, places = 19, N = places - broken.count, steps = 2
        let header = StreamHeader(metadata: Case(N: N, D: 24, K: 20, records: steps).header.metadata.merging(["batch": "\(places)"]) { $1 })
        let place = Case(N: N, D: 24, K: 20, records: steps), views = try place.views(name)
        let records = (0..<steps).map { step in
            var record = place.record("\(step)", views: views, size: 20, step: step)
            record.metadata["broken"] = broken.map(String.init).joined(separator: " ")
            return record
        }
        let trained = { @Sendable (ranks: Ranks?) throws -> TensorDocument in
            var options = try self.training(name, place)
            (options.schedule, options.optimizer, options.batchGroups, options.ranks) = (.constant(rate: 1e-3), SGD(), groups, ranks)
            let slice = ranks.map { BatchSlice(rank: $0.rank, of: $0.count, groups: groups) }
            let source = Listed(header: StreamHeader(metadata: header.metadata.merging(slice?.metadata ?? [:]) { $1 }), records: records.map { slice?.part(of: $0, places: places) ?? $0 })
            let trainer = try Trainer(try self.begin(name, options, place, head: nil), options, header: source.header)
            let all = ranks.map { GatheredRecords(source, $0) { false } as any RecordSource } ?? source
            var isFirst = true
            while let record = try all.next() {
                if isFirst { for tensor in trainer.sampledTensors { trainer.setSample(try #require(record.tensors[tensor]), of: tensor) } }
                isFirst = false
                _ = try trainer.step(record)
            }
            return try trainer.finish().document()
        }
        let alone = try trained(nil)
        // No rank may be without images.
        for count in [1, 2, 3, 4] + (broken == [3, 4] ? [8] : []) {
            for (rank, document) in try RankThreads.run(count, { try trained($0) }).enumerated() {
                #expect(document.names == alone.names)
                let different = alone.names.filter { document.tensors[$0] != alone.tensors[$0] }
                #expect(different == [], "rank \(rank) of \(count)")
            }
        }
    }

    @Test(arguments: names)
    func `one image, and images that are all the same, give finite numbers or one error`(_ name: String) throws {
        for N in [1, 4] {
            let place = Case(N: N, D: 24, K: 20), options = try training(name, place)
            let trainer = try Trainer(try begin(name, options, place), options, header: place.header), size = 20
            let record = try place.record("same", views: place.views(name), size: size, images: [UInt8](repeating: 90, count: N * 3 * size * size * 3))
            for tensor in trainer.sampledTensors { trainer.setSample(try #require(record.tensors[tensor]), of: tensor) }
            let found = failure {
                let report = try trainer.step(record)
                #expect(report.loss.isFinite && report.metrics.allSatisfy { $0.value.isFinite })
                _ = try trainer.finish()
            }
            #expect(found == nil || found?.kind == .data, "\(found?.description ?? "")")
        }
    }

    @Test(arguments: [("simreg", "features"), ("compress-2q", "features"), ("seed-batch", "teacher"), ("kd", "logits"), ("disco", "teacher.0"), ("swav-distillation", "logits"), ("feature-mse", "features"), ("bingo", "teacher.1")])
    func `a teacher's rows that are the same for all images are told once, and others are not`(_ name: String, _ tensor: String) throws {
        let place = Case(N: 4, D: 24, K: 20), options = try training(name, place)
        for (steps, areAlike, count) in [(2, true, 0), (4, true, 1), (4, false, 0)] {
            let trainer = try Trainer(try begin(name, options, place), options, header: place.header)
            _ = trainer.takeNotes()
            for step in 0..<steps {
                var record = try place.record("\(step)", views: place.views(name), size: 20, step: step)
                let rows = try #require(record.tensors[tensor]), width = rows.shape.last ?? 0, values = try rows.floats()
                if areAlike { record.tensors[tensor] = Tensor(f32: (0..<values.count / width).flatMap { _ in values.prefix(width) }, shape: rows.shape) }
                _ = try trainer.step(record)
            }
            #expect(trainer.takeNotes().filter { $0.hasPrefix("the teacher's rows ('\(tensor)') are the same for all images") }.count == count)
        }
    }

    @Test(arguments: [("simreg", "features"), ("compress-1q", "features"), ("compress-2q", "features"), ("seed-batch", "teacher"), ("kd", "logits"), ("disco", "teacher.0"),
        ("swav-distillation", "logits"), ("queue-kl", "features"), ("feature-mse", "features"), ("bingo", "teacher.1")])
    func `a teacher's rows that are missing, too wide or not finite are named`(_ name: String, _ tensor: String) throws {
        let place = Case(N: 4, D: 24, K: 20), options = try training(name, place)
        func error(_ rows: Tensor?) throws -> String {
            let trainer = try Trainer(try begin(name, options, place), options, header: place.header)
            var record = try place.record("bad", views: place.views(name), size: 20)
            record.tensors[tensor] = rows
            return failure { _ = try trainer.step(record) }?.description ?? "none"
        }
        let views = name == "disco" || name == "bingo" ? 2 : 1
        func shape(_ D: Int) -> [Int] { views > 1 ? [4, views, D] : [4, D] }
        let missing = try error(nil), notFinite = try error(Tensor(f32: [Float](repeating: .nan, count: 4 * views * 24), shape: shape(24)))
        #expect(missing.contains("has no tensor '\(tensor)'") && missing.contains("embed"), "\(missing)")
        #expect(notFinite.contains("not finite in '\(tensor)'"), "\(notFinite)")
        let wide = try error(Tensor(f32: formula("wide", 4 * views * 30), shape: shape(30)))
        #expect(wide.contains("30") && wide.contains("24"), "\(wide)")
    }

    @Test func `labels beyond the classes, and streams that do not say what a method must know, are told`() throws {
        let place = Case(N: 4, D: 24, K: 20), options = try training("supervised", place)
        let two = TrainingState(formulaWeights(try #require(Network("tiny-resnet10", head: .linear(2)))), provenance: Provenance())
        let trainer = try Trainer(two, options, header: place.header)
        #expect(failure { _ = try trainer.step(place.record("labels", views: [1], size: 20)) }?.description.contains("has label 2 where the classifier has 2 classes") == true)
        let found = failure { _ = try method("simreg").completed(MethodOptions(), StreamHeader(metadata: [:])) }
        #expect(found?.kind == .data && found?.remedy != nil)
    }

    @Test(arguments: ["supervised-frozen", "kd-trunk-rate"]) func `a frozen trunk stays as it is to the last bit, statistics too, and one of another rate does not`(_ name: String) throws {
        let place = Case(N: 6, D: 24, K: 20), options = try training(name, place), state = try begin(name, options, place), before = Weights(copying: state.weights)
        let trainer = try Trainer(state, options, header: place.header)
        _ = try trainer.step(place.record("0", views: [1], size: 20))
        let after = try trainer.finish().weights, isFrozen = name == "supervised-frozen"
        for (index, parameter) in before.network.parameters.enumerated() {
            #expect((before.portable(index) == after.portable(index)) == (isFrozen && !parameter.name.hasPrefix("fc")), "\(parameter.name)")
        }
        #expect(before.statistics.array == after.statistics.array || !isFrozen)
        // Statistics without a count stand for the ten batches that a momentum of 0.1 needs.
        #expect(after.batchesSeen.allSatisfy { $0 == (isFrozen ? 0 : 10 + 1) })
    }

    @Test func `the classes of a stream are those of its checkpoint and of its teacher, or the first difference is told`() throws {
        let classifier = try #require(Network("tiny-resnet10", head: .linear(3))), place = Case(N: 4, D: 3, K: 20)
        func header(_ classes: String?, teacher: String? = nil) -> StreamHeader {
            StreamHeader(metadata: ["classes": classes, "logit_classes": teacher].compactMapValues { $0 })
        }
        func take(_ name: String, _ header: StreamHeader, _ network: Network? = nil, known: [String]? = nil, options: [String: String] = [:]) throws -> [String]? {
            var state = TrainingState(formulaWeights(network ?? classifier), provenance: Provenance())
            state.classes = known
            try state.takeClasses(method(name), MethodOptions(options), header, path: "x.safetensors", stream: "s")
            return state.classes
        }
        #expect(try take("supervised", place.header) == ["a", "b", "c"] && take("supervised", header(nil), known: ["x", "y", "z"]) == ["x", "y", "z"])
        #expect(try take("kd", header(#"["a","b","c"]"#, teacher: #"["a","b","c"]"#)) == ["a", "b", "c"])
        // Without labels, the teacher's classes are learnt.
        #expect(try take("kd", header("[]", teacher: #"["x","y","z"]"#), options: ["alpha": "1"]) == ["x", "y", "z"])
        // A network that is no longer a classifier has no classes.
        #expect(try take("seed", place.header, known: ["a", "b", "c"]) == nil)
        let wrong: [(String, StreamHeader, Network?, [String]?, String)] = [
            ("supervised", place.header, Network("tiny-resnet10", head: .none), nil, "has no classifier, which --objective supervised trains; give it a new classifier: initialize --from x.safetensors --classes 3"),
            ("supervised", header(#"["a","b"]"#), nil, nil, "has a head of 3 numbers where there are 2 classes; give it a new classifier: initialize --from x.safetensors --classes 2"),
            ("supervised", place.header, nil, ["a", "c", "b"], "class 1 of the checkpoint is 'c' where the stream has 'b'"),
            ("kd", header(#"["a","b","c"]"#, teacher: #"["a","x","c"]"#), nil, nil, "s: class 1 of the teacher is 'x' where the data has 'b'"),
            ("kd", header(#"["a","b","c"]"#, teacher: #"["a","b"]"#), nil, nil, "s: the teacher has 2 classes where the data has 3"),
        ]
        for (name, header, network, known, words) in wrong {
            let found = failure { _ = try take(name, header, network, known: known) }
            #expect(found?.kind == .data && found?.description.contains(words) == true, "\(found?.description ?? "none")")
        }
    }

    @Test func `a student whose features alone are trained keeps its head as it was`() throws {
        let place = Case(N: 6, D: 24, K: 20), name = "simreg", options = try training(name, place), state = try begin(name, options, place), before = Weights(copying: state.weights)
        let trainer = try Trainer(state, options, header: place.header)
        _ = try trainer.step(place.record("0", views: [1], size: 20))
        let after = try trainer.finish().weights
        for (index, parameter) in before.network.parameters.enumerated() {
            #expect((before.portable(index) == after.portable(index)) == parameter.name.hasPrefix("fc"), "\(parameter.name)")
        }
        #expect(after.batchesSeen.allSatisfy { $0 == 10 + 1 })
    }

    @Test func `small crops without the teacher's embeddings of them are told, and without the crops nothing is kept of them`() throws {
        let place = Case(N: 4, D: 24, K: 20), options = try training(smallPatches, place)
        let trainer = try Trainer(try begin("seed", options, place), options, header: place.header)
        let record = try place.record("0", views: place.views(smallPatches), size: 20)
        for (rows, words) in [(nil, "has no tensor 'teacher.1'"), (Tensor(f32: formula("x", 4 * 24), shape: [4, 1, 24]), "teacher.1"), (Tensor(f32: formula("x", 4 * 3 * 9), shape: [4, 3, 9]), "embeddings of 9 numbers")] as [(Tensor?, String)] {
            var bad = record
            bad.tensors["teacher.1"] = rows
            let found = failure { _ = try trainer.step(bad) }
            #expect(found?.kind == .data && found?.description.contains(words) == true, "\(found?.description ?? "none")")
        }
        let plain = try Trainer(try begin("seed", options, place), options, header: place.header)
        _ = try plain.step(place.record("0", views: [1], size: 20))
        #expect(try plain.finish().objective.keys.sorted() == ["queue", "queue.filled", "queue.position"])
        let both = try Trainer(try begin("seed", options, place), options, header: place.header)
        let report = try both.step(record), state = try both.finish().objective
        #expect(report["small_loss"].map { $0 > 0 && $0 < report.loss } == true && state["small.queue.position"] == Tensor(i64: [4], shape: [1]))
        // A second queue with the same number of rows.
        #expect(state["small.queue"]?.shape == [1000 / 2, 24] && state["small.queue.filled"] == Tensor(i64: [4], shape: [1]))
    }

    @Test func `SwAV's prototypes are as many as the data can have, stay at first, and its head sees all crops at once`() throws {
        let place = Case(N: 6, D: 24, K: 20, epochs: 2, records: 6)
        #expect(try SwAV.completed(MethodOptions(), place.header).text("prototypes") == "100")
        #expect(try SwAV.completed(MethodOptions(), StreamHeader(metadata: ["samples": "1281167"])).text("prototypes") == "3000")
        #expect(try SwAV.completed(MethodOptions(["prototypes": "7"]), place.header).text("prototypes") == "7")
        func notes(_ options: [String: String]) throws -> [String] {
            var objective = try SwAV(SwAV.completed(MethodOptions(options), place.header), TrainingFacts(header: place.header))
            return objective.takeNotes()
        }
        #expect(try notes([:]).first?.contains("100 prototypes, a tenth of the 1000 images") == true && notes(["prototypes": "50"]).isEmpty)
        #expect(try notes(["prototypes": "2000"]).first?.contains("more than the 1000 images") == true)
        let options = try training("swav", place), trainer = try Trainer(try begin("swav", options, place), options, header: place.header)
        func prototypes() throws -> [Float] { try #require(trainer.finish().others["prototypes"]).weights.portable(0) }
        var before: [Float] = []
        for step in 0..<4 {
            _ = try trainer.step(place.record("\(step)", views: place.views("swav"), size: 20, step: step))
            let now = try prototypes()
            if step > 0 { #expect((now == before) == (step < 3), "step \(step)") }
            before = now
            let lengths: [Float] = (0..<10).map { k in now.dropFirst(24 * k).prefix(24).reduce(Float(0)) { $0 + $1 * $1 } }
            #expect(lengths.allSatisfy { abs($0 - 1) < 1e-2 })
        }
        let weights = try trainer.finish().weights
        #expect(Set(weights.batchesSeen) == [10 + 4, 10 + 8] && weights.batchesSeen.last == 10 + 4 && weights.batchesSeen.first == 10 + 8)
        // Two large crops alone are enough.
        let two = try Trainer(try begin("swav", options, place), options, header: place.header)
        #expect(try two.step(place.record("0", views: [2], size: 20)).loss.isFinite)
    }

    @Test(arguments: [("swapped", true, false, 3), ("two", false, true, 3), ("two-swapped", true, true, 3), ("softmax", false, false, 0)])
    func `a teacher of SwAV may have seen both large crops, which are predicted by themselves or by others, and assign by softmax`(
        _ name: String, _ isSwapped: Bool, _ two: Bool, _ iterations: Int
    ) throws {
        let place = Case(N: 5, D: 7, K: 11), golden = try Golden("methods"), method = "swav-distillation"
        let options = MethodOptions(["sinkhorn-epsilon": "0.3", "swapped": isSwapped ? "on" : "off", "sinkhorn-iterations": "\(iterations)"])
        let loss = try place.loss(method, options, place.rows(method, options), kept: [:]) { record in
            guard two else { return }
            record.tensors["logits"] = nil
            record.tensors["logits.0"] = Tensor(f32: formula("logits.0.loss", 5 * 2 * 7), shape: [5, 2, 7])
        }
        let expected = try golden.doubles("\(method).\(name).loss")[0]
        #expect(abs(loss.value - expected) <= 1e-5 * max(1, abs(expected)), "\(loss.value) where PyTorch has \(expected)")
        #expect(relativeError(try #require(loss.gradients["scores"]), try golden.doubles("\(method).\(name).gradient")) < 2e-5)
        let floor = try #require(loss.metrics.first { $0.name == "floor" }).value
        #expect(floor > 0 && floor < loss.value)
    }

    @Test func `several teachers are told by name, have parts of their widths, queues and means of their own, and go on together alone`() throws {
        let place = Case(N: 6, D: 24, K: 20), name = "seed-teachers"
        var options = try training(name, place)
        options.methodOptions = MethodOptions(["queue-size": "8"])
        func begin() throws -> Trainer {
            var state = try self.begin(name, options, place)
            state.objective = [:]
            return try Trainer(state, options, header: place.header)
        }
        let trainer = try begin(), record = place.record("0", views: [1], size: 20)
        #expect(trainer.sampledTensors == ["teacher.a", "teacher.b"])
        for (change, words) in [(("teacher.b", nil), "has no tensor 'teacher.b'"), (("teacher.b", Tensor(f32: place.unit(formula("x", 6 * 5), 5), shape: [6, 5])), "10 + 5 numbers where the student's have 24")] as [((String, Tensor?), String)] {
            var bad = record
            bad.tensors[change.0] = change.1
            let found = failure { _ = try trainer.step(bad) }
            #expect(found?.kind == .data && found?.description.contains(words) == true, "\(found?.description ?? "none")")
        }
        let report = try begin().step(record)
        #expect(report["loss_a"].map { $0 > 0 } == true && abs((report["loss_a"] ?? 0) + (report["loss_b"] ?? 0) - report.loss) < 1e-6)
        let kept = try { let trainer = try begin(); _ = try trainer.step(record); return try trainer.finish().objective }()
        #expect(kept["a.queue"]?.shape == [8, 10] && kept["b.queue"]?.shape == [8, 14])
        var objective = try SEEDTeachers(MethodOptions(["teachers": "a,c"]), TrainingFacts(header: place.header))
        #expect(failure { try objective.restore(kept) }?.description.contains("queues of the teachers a,b where --teachers has a,c") == true)
        #expect(SEEDTeachers.conflict(MethodOptions(["teacher-weights": "1,2,3"])) == "--teacher-weights has 3 numbers where --teachers has 2 names; give one for each" && SEEDTeachers.conflict(MethodOptions(["teacher-weights": "1,2"])) == nil)
        let option = SEEDTeachers.options[0]
        #expect(["a", "vit,resnet-50"].allSatisfy(option.accepts) && !["", "1", "a,a", "a,", "a.b", "sample"].contains(where: option.accepts))
    }

    @Test func `a teacher's prototypes at the end of a student's head stay as they are`() throws {
        let place = Case(N: 6, D: 24, K: 20), name = "swav-distillation"
        for isFrozen in [false, true] {
            var options = try training(name, place)
            options.methodOptions = MethodOptions(["frozen-prototypes": isFrozen ? "on" : "off"])
            let state = try begin(name, options, place), before = Weights(copying: state.weights), trainer = try Trainer(state, options, header: place.header)
            for step in 0..<2 { _ = try trainer.step(place.record("\(step)", views: place.views(name), size: 20, step: step)) }
            let after = try trainer.finish().weights, last = before.network.parameters.count - 1
            for index in [last - 1, last] { #expect((after.portable(index) == before.portable(index)) == isFrozen) }
            #expect(after.portable(last - 2) != before.portable(last - 2))
        }
    }

    @Test func `BINGO wants to know how its views are mixed, and keeps keys of the images alone`() throws {
        let place = Case(N: 4, D: 24, K: 20), options = try training("bingo", place)
        let trainer = try Trainer(try begin("bingo", options, place), options, header: place.header)
        var record = try place.record("0", views: place.views("bingo"), size: 20)
        record.metadata["mix"] = nil
        #expect(failure { _ = try trainer.step(record) }?.description.contains("augment --bags") == true)
        record.metadata["mix"] = "0.7"
        _ = try trainer.step(record)
        let queue = try #require(trainer.finish().objective["queue"]).floats(), keys = try #require(record.tensors["teacher.1"]).floats()
        for n in 0..<4 { for d in 0..<24 { #expect(abs(queue[n * 24 + d] - keys[2 * n * 24 + d]) < 1e-6) } }
    }

    @Test func `lightly-train's queue is as long as the images want, holds the batch, and of a larger batch its first rows`() throws {
        func rows(_ samples: Int, _ options: [String: String] = [:]) throws -> (Loss, [Float], [Float]) {
            let place = Case(N: 5, D: 7, K: 11), header = StreamHeader(metadata: ["samples": "\(samples)"]), record = place.record("q", views: [1], size: 20)
            var objective = try QueueKL(MethodOptions(options), TrainingFacts(header: header)), outputs = Outputs()
            outputs[QueueKL.passes(MethodOptions())[0]] = PassOutput(formula("rows", 35), N: 5, D: 7)
            let loss = try objective.loss(outputs, Batch(record, N: 5, views: [1], epoch: 0, step: 0))
            return (loss, try #require(objective.finish()["features"]).floats(), place.unit(formula("features.q", 35), 7))
        }
        for (samples, length) in [(49, 16), (50, 32), (249, 64), (1000, 512), (20_000, 8192), (1_281_167, 8192)] {
            let (loss, queue, features) = try rows(samples)
            #expect(queue.count == length * 7 && loss.value > 0)
            #expect(zip(queue, features).allSatisfy { abs($0 - $1) < 1e-6 } && queue.dropFirst(35).allSatisfy { $0 == 0 })
        }
        let (_, small, features) = try rows(1000, ["queue-size": "3"])
        #expect(small.count == 21 && zip(small, features).allSatisfy { abs($0 - $1) < 1e-6 })
    }

    @Test func `the bias before SimSiam's last batch norm does not move, and the predictor keeps its rate`() throws {
        let place = Case(N: 6, D: 24, K: 20), options = try training("simsiam", place), network = try #require(Network("tiny-resnet10", head: head("simsiam")))
        let frozen = network.parameters.filter { SimSiam.group($0, of: .student, in: network, options.methodOptions) == .frozen }.map(\.name)
        #expect(frozen == ["fc.3.bias"])
        let predictor = try #require(SimSiam.models(options.methodOptions).last)
        #expect(!SimSiam.group(network.parameters[0], of: predictor, in: network, options.methodOptions).isScheduled)
        #expect(SimSiam.group(network.parameters[0], of: predictor, in: network, MethodOptions(["fix-predictor-rate": "off"])) == ParameterGroup())
    }
}

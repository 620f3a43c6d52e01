import Networks
import Objectives
import Optimizers
import TensorStreams
import TestSupport
import Testing
import ToolSupport
import Training

/// Rows, labels and images for all methods.
private struct Case {
    /// Images; width of all that a teacher gives; rows of queues.
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

    func record(_ name: String, views: Int, size: Int, epoch: Int = 0, step: Int = 0, images: [UInt8]? = nil) -> TensorDocument {
        let pixels = size * size * 3
        func byte(_ u: Float) -> UInt8 { UInt8(min(255, max(0, ((u + 1) * 127.5).rounded(.down)))) }
        let bytes: [UInt8] = images ?? formula("images.\(name)", N * 2 * pixels).map(byte)
        var one = bytes
        if views == 1 { one = (0..<N).flatMap { n -> [UInt8] in Array(bytes[(2 * n * pixels)..<((2 * n + 1) * pixels)]) } }
        return TensorDocument(metadata: ["epoch": "\(epoch)", "step": "\(step)"], tensors: [
            "images": Tensor(u8: one, shape: [N, views, size, size, 3]), "label": Tensor(i32: (0..<N).map { Int32($0 % 3) }, shape: [N]),
            "teacher": Tensor(f32: unit(formula("teacher.\(name)", N * D), D), shape: [N, D]),
            "features": Tensor(f32: formula("features.\(name)", N * D), shape: [N, D]),
            "logits": Tensor(f32: formula("logits.\(name)", N * D).map { 3 * $0 }, shape: [N, D]),
        ])
    }

    /// What a method keeps, of the formula. SEED and MoCo have a queue of unit rows, CompRess memories of any.
    func state(_ method: any Objective.Type, studentWidth: Int) -> [String: Tensor] {
        let place = { (name: String) in [name + ".position": Tensor(i64: [0], shape: [1]), name + ".filled": Tensor(i64: [0], shape: [1])] }
        switch method.name {
        case "moco-v1", "moco-v2", "seed": return place("queue").merging(["queue": Tensor(f32: unit(formula("queue", K * D), D), shape: [K, D])]) { $1 }
        case "compress-1q": return place("anchors").merging(["anchors.teacher": Tensor(f32: formula("memory", K * D), shape: [K, D])]) { $1 }
        case "compress-2q":
            return place("anchors").merging([
                "anchors.teacher": Tensor(f32: formula("memory", K * D), shape: [K, D]),
                "anchors.student": Tensor(f32: formula("student memory", K * studentWidth), shape: [K, studentWidth]),
            ]) { $1 }
        default: return [:]
        }
    }

    func views(_ method: any Objective.Type) -> Int { method.inputs.views.lowerBound }

    /// Loss and gradients of outputs, of an objective that has just begun.
    func loss(_ method: any Objective.Type, _ options: MethodOptions, _ rows: [[Float]], kept: [String: Tensor]) throws -> Loss {
        var objective = try method.init(options, TrainingFacts(header: header))
        try objective.restore(kept)
        var outputs = Outputs()
        let record = record("loss", views: views(method), size: 8)
        if let tensor = objective.sampledTensor { objective.setSample(try #require(record.tensors[tensor])) }
        for (pass, rows) in zip(method.passes(options), rows) { outputs[pass] = PassOutput(rows, N: rows.count / D, D: D) }
        return try objective.loss(outputs, Batch(record, N: N, views: method.inputs.leastViews, epoch: 0, step: 0))
    }

    func rows(_ method: any Objective.Type, _ options: MethodOptions) -> [[Float]] {
        method.passes(options).enumerated().map { i, pass in formula("\(method.name).\(i)", pass.rows(N: N, views: method.inputs.leastViews) * D) }
    }
}

private let golden10: [String] = [
    "moco-v1", "simclr", "byol", "simsiam", "barlow-twins", "simreg", "compress-1q", "compress-2q", "seed-batch", "kd", "supervised",
]

@Suite struct MethodTests {
    private func method(_ name: String) throws -> any Objective.Type { try #require(Methods.named(name)) }

    @Test(arguments: golden10)
    func `a loss and its gradients are those of the authors' code`(_ name: String) throws {
        let method = try method(name), place = Case(N: 5, D: 7, K: 11), golden = try Golden("methods")
        let options = try method.completed(MethodOptions(name == "simclr" ? ["loss-sum": "on"] : [:]), place.header)
        let loss = try place.loss(method, options, place.rows(method, options), kept: place.state(method, studentWidth: 7))
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

    @Test(arguments: Methods.names)
    func `the gradient is the derivative of the loss, at odd sizes`(_ name: String) throws {
        let method = try method(name)
        for (N, D) in [(5, 7), (3, 17), (2, 5)] {
            let place = Case(N: N, D: D, K: 13), options = try method.completed(MethodOptions(name == "seed" ? ["centre": "none", "teacher-temperature": "0.1"] : [:]), place.header)
            let rows = place.rows(method, options), kept = place.state(method, studentWidth: D)
            let loss = try place.loss(method, options, rows, kept: kept), passes = method.passes(options)
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
                try place.loss(method, options, zip(rows, directions).map { zip($0, $1).map { $0 + sign * step * $1 } }, kept: kept).value
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
        case "supervised": ["classes": "24"]
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
        case "barlow-twins": options.schedule = .warmUpCosine(rate: 1, epochs: 2, warmUp: 1, end: 0.001)
        case "simsiam", "simreg": options.schedule = .cosine(rate: 0.05, epochs: 2)
        case "compress-1q", "compress-2q": options.schedule = .steps(rate: 0.01, milestones: [1], factor: 0.2)
        case "kd": options.schedule = .constant(rate: 0.001)
        case "supervised": options.schedule = .steps(rate: 0.005, milestones: [1])
        default: options.schedule = .constant(rate: 0.02)
        }
        switch name {
        case "simclr": options.optimizer = LARS(.larsSimCLR, weightDecay: 1e-4)
        case "byol": options.optimizer = LARS(.larsBYOL, weightDecay: 1e-4)
        case "barlow-twins": options.optimizer = LARS(.lars, weightDecay: 1e-4)
        case "kd": options.optimizer = Adam(.adamW, weightDecay: 0.01)
        default: options.optimizer = SGD()
        }
        return options
    }

    /// A student of the formula, and the head beside it where there is one.
    private func begin(_ options: TrainingOptions, _ place: Case) throws -> TrainingState {
        let network = try #require(Network("tiny-resnet10", head: head(options.method.name)))
        var state = TrainingState(formulaWeights(network), provenance: Provenance())
        for model in options.method.models(options.methodOptions) {
            guard case .head(let output, let head) = model.kind else { continue }
            let width = output == .features ? network.featureWidth : network.embeddingWidth
            state.others[model.name] = TrainingState.Other(formulaWeights(Network(head(width), inputs: width)))
        }
        state.objective = place.state(options.method, studentWidth: network.featureWidth)
        return state
    }

    @Test(arguments: golden10)
    func `ten training steps have the losses of the authors' code`(_ name: String) throws {
        let place = Case(N: 8, D: 24, K: 20, epochs: 2, records: 10), options = try training(name, place)
        let trainer = try Trainer(try begin(options, place), options, header: place.header)
        for (step, expected) in try Golden("methods").doubles("\(name).steps").enumerated() {
            let report = try trainer.step(place.record("\(step)", views: place.views(options.method), size: 20, epoch: step / 5, step: step % 5))
            #expect(abs(report.loss - expected) <= 1e-3 * max(0.1, abs(expected)), "step \(step): \(report.loss) where PyTorch has \(expected)")
            #expect(report["spread"].map { $0 > 0 && $0 < 2 } == true && report["effective_rank"].map { $0 >= 1 && $0 < 16 } == true && report["student_cosine"] != nil)
        }
    }

    private func made(_ name: OptimizerName) -> any Optimizer {
        if name.isLARS { return LARS(name) }
        if name.isAdam { return Adam(name) }
        return SGD()
    }

    @Test(arguments: Methods.names.map { ($0, OptimizerName.sgd) } + [("byol", .adamW), ("simsiam", .adam), ("simreg", .larc), ("simclr", .larsSimCLR)])
    func `two epochs are the same, whether stopped between or not`(_ name: String, _ optimizer: OptimizerName) throws {
        let place = Case(N: 6, D: 24, K: 20, epochs: 2, records: 6), files = try Workplace(), path = files.path("state.safetensors")
        var options = try training(name, place)
        options.schedule = .warmUpCosine(rate: optimizer.isAdam ? 1e-3 : 0.01, epochs: 2, warmUp: 1)
        options.optimizer = made(optimizer)
        options.seed = 5
        func epoch(_ epoch: Int, _ trainer: Trainer) throws {
            for step in 0..<3 {
                let record = place.record("\(epoch).\(step)", views: place.views(options.method), size: 20, epoch: epoch, step: step)
                if step == 0, let tensor = trainer.sampledTensor { trainer.setSample(try #require(record.tensors[tensor])) }
                _ = try trainer.step(record)
            }
        }
        let whole = try Trainer(try begin(options, place), options, header: place.header)
        try epoch(0, whole)
        try epoch(1, whole)
        let stopped = try Trainer(try begin(options, place), options, header: place.header)
        try epoch(0, stopped)
        try DocumentFile.write(stopped.finish().document(), to: path)
        let read = try TrainingState(reading: path, for: options.method, options.methodOptions, optimizer: options.optimizer)
        let goingOn = try Trainer(read, options, header: place.header)
        try epoch(1, goingOn)
        let (expected, found) = (try whole.finish().document(), try goingOn.finish().document())
        #expect(expected.names == found.names && expected.metadata["optimizer"] == (optimizer == .sgd ? nil : optimizer.rawValue))
        for name in expected.names { #expect(expected.tensors[name] == found.tensors[name], "\(name)") }
        // Another method, or optimizer, does not go on with it.
        let other: any Objective.Type = name == "simclr" ? BYOL.self : SimCLR.self
        #expect(failure { _ = try TrainingState(reading: path, for: other, optimizer: options.optimizer) }?.description.contains("is of a training by \(name)") == true)
        let another = made(optimizer == .larc ? .sgd : .larc)
        #expect(failure { _ = try TrainingState(reading: path, for: options.method, options.methodOptions, optimizer: another) }?.description
            .contains("--optimizer \(optimizer.rawValue)") == true)
    }

    @Test(arguments: Methods.names)
    func `one image, and images that are all the same, give finite numbers or one error`(_ name: String) throws {
        for N in [1, 4] {
            let place = Case(N: N, D: 24, K: 20), options = try training(name, place)
            let trainer = try Trainer(try begin(options, place), options, header: place.header), size = 20
            let record = place.record("same", views: place.views(options.method), size: size, images: [UInt8](repeating: 90, count: N * 2 * size * size * 3))
            if let tensor = trainer.sampledTensor { trainer.setSample(try #require(record.tensors[tensor])) }
            let found = failure {
                let report = try trainer.step(record)
                #expect(report.loss.isFinite && report.metrics.allSatisfy { $0.value.isFinite })
                _ = try trainer.finish()
            }
            #expect(found == nil || found?.kind == .data, "\(found?.description ?? "")")
        }
    }

    @Test(arguments: [("simreg", "features"), ("compress-1q", "features"), ("compress-2q", "features"), ("seed-batch", "teacher"), ("kd", "logits")])
    func `a teacher's rows that are missing, too wide or not finite are named`(_ name: String, _ tensor: String) throws {
        let place = Case(N: 4, D: 24, K: 20), options = try training(name, place)
        func error(_ rows: Tensor?) throws -> String {
            let trainer = try Trainer(try begin(options, place), options, header: place.header)
            var record = place.record("bad", views: 1, size: 20)
            record.tensors[tensor] = rows
            return failure { _ = try trainer.step(record) }?.description ?? "none"
        }
        let missing = try error(nil), notFinite = try error(Tensor(f32: [Float](repeating: .nan, count: 4 * 24), shape: [4, 24]))
        #expect(missing.contains("has no tensor '\(tensor)'") && missing.contains("embed"), "\(missing)")
        #expect(notFinite.contains("not finite in '\(tensor)'"), "\(notFinite)")
        let wide = try error(Tensor(f32: formula("wide", 4 * 30), shape: [4, 30]))
        #expect(wide.contains("30") && wide.contains("24"), "\(wide)")
    }

    @Test func `labels beyond the classes, and streams that do not say what a method must know, are told`() throws {
        let place = Case(N: 4, D: 24, K: 20)
        var options = try training("supervised", place)
        options.methodOptions = MethodOptions(["classes": "2"])
        let trainer = try Trainer(try begin(options, place), options, header: place.header)
        #expect(failure { _ = try trainer.step(place.record("labels", views: 1, size: 20)) }?.description.contains("has label 2 where the classifier has 2 classes") == true)
        for name in ["supervised", "kd", "simreg"] {
            let found = failure { _ = try self.method(name).completed(MethodOptions(), StreamHeader(metadata: [:])) }
            #expect(found?.kind == .data && found?.remedy != nil, "\(name)")
        }
    }

    @Test func `a student whose features alone are trained keeps its head as it was`() throws {
        let place = Case(N: 6, D: 24, K: 20), options = try training("simreg", place), state = try begin(options, place), before = Weights(copying: state.weights)
        let trainer = try Trainer(state, options, header: place.header)
        _ = try trainer.step(place.record("0", views: 1, size: 20))
        let after = try trainer.finish().weights
        for (index, parameter) in before.network.parameters.enumerated() {
            #expect((before.portable(index) == after.portable(index)) == parameter.name.hasPrefix("fc"), "\(parameter.name)")
        }
        #expect(after.batchesSeen.allSatisfy { $0 == 1 })
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

import Checkpoints
import Foundation
import Kernels
import Networks
import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// Checkpoints with other programs' tensor names, here as safetensors; `torch_files.py` makes them with PyTorch for the
/// long tests.
@Suite struct LayoutTests {
    let folder: Workplace
    let weights = formulaWeights("tiny-resnet10", dimension: 24)
    private var trunk: [String: Tensor] { WeightsDocument.tensors(of: weights).filter { !$0.key.hasPrefix("fc.") } }

    init() throws { folder = try Workplace() }

    private func named(_ prefix: String, _ tensors: [String: Tensor]) -> [String: Tensor] { Dictionary(uniqueKeysWithValues: tensors.map { (prefix + $0.key, $0.value) }) }
    private func cleared(_ tensor: Tensor) -> Tensor { Tensor(dtype: tensor.dtype, shape: tensor.shape) { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) } }
    private func zeros(_ shape: Int...) -> Tensor { Tensor(f32: [Float](repeating: 0, count: shape.reduce(1, *)), shape: shape) }
    private func line(_ name: String, _ O: Int, _ I: Int, bias: Bool = true) -> [String: Tensor] { bias ? ["\(name).weight": zeros(O, I), "\(name).bias": zeros(O)] : ["\(name).weight": zeros(O, I)] }
    private func norm(_ name: String, _ C: Int) -> [String: Tensor] {
        ["weight", "bias", "running_mean", "running_var"].reduce(into: ["\(name).num_batches_tracked": Tensor(i64: [3], shape: [])]) { $0["\(name).\($1)"] = zeros(C) }
    }

    private func read(_ parts: [String: Tensor]..., prefix: String? = nil) throws -> WeightsFile {
        let all = parts.reduce(into: [:]) { $0.merge($1) { $1 } }
        try DocumentFile.write(TensorDocument(tensors: all), to: folder.path("x.safetensors"), checksum: false)
        return try WeightsFile(folder.path("x.safetensors"), WeightsFile.Reading(prefix: prefix))
    }

    private func check(_ file: WeightsFile, _ head: Head?, _ words: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(file.weights.network.name == "tiny-resnet10" && file.weights.network.head == head ?? .none, "\(file.coverage)", sourceLocation: sourceLocation)
        let tensors = WeightsDocument.tensors(of: file.weights)
        for (name, tensor) in trunk { #expect(tensors[name] == tensor, "\(name)", sourceLocation: sourceLocation) }
        #expect(file.coverage.contains(words), "\(file.coverage)", sourceLocation: sourceLocation)
    }

    @Test func `MoCo's query encoder is taken, with its head, and not the key encoder`() throws {
        let other = named("state_dict.module.encoder_k.", trunk.mapValues(cleared))
        let queue = ["state_dict.module.queue": zeros(8, 16), "state_dict.module.queue_ptr": Tensor(i64: [0], shape: [1])]
        let file = try read(named("state_dict.module.encoder_q.", trunk), line("state_dict.module.encoder_q.fc.0", 128, 128), line("state_dict.module.encoder_q.fc.2", 24, 128), other, queue)
        check(file, Head([.linear(128, bias: true), .relu, .linear(24, bias: true)]), "MoCo, state_dict.module.encoder_q: tiny-resnet10 with a head of 128, 24; 64 of 64 tensors")
        #expect(file.coverage.hasSuffix("left out: state_dict.encoder_k, state_dict.queue, state_dict.queue_ptr"))
        check(try read(named("module.base_encoder.", trunk), named("module.momentum_encoder.", trunk)), nil, "MoCo v3")
    }

    @Test func `heads of SwAV, SimCLR, OpenSelfSup, VISSL and projectors are lists of layers`() throws {
        let mlp = Head([.linear(64, bias: true), .relu, .linear(24, bias: true)]), normed = Head([.linear(64, bias: true), .batchNorm(affine: true), .relu, .linear(24, bias: true)])
        let prototypes = ["module.prototypes.weight": zeros(30, 24)]
        check(try read(named("module.", trunk), line("module.projection_head.0", 64, 128), norm("module.projection_head.1", 64), line("module.projection_head.3", 24, 64), prototypes), normed, "SwAV, module")
        check(try read(named("module.", trunk), line("module.projection_head.0", 64, 128), line("module.projection_head.2", 24, 64), prototypes), mlp, "SwAV, module")
        check(try read(named("model.module.module.module.", trunk), line("model.module.module.module.fc.0", 64, 128), norm("model.module.module.module.fc.1", 64), line("model.module.module.module.fc.3", 24, 64)), normed, "and a head with a batch norm")
        check(
            try read(named("state_dict.backbone.", trunk), line("state_dict.neck.fc0", 64, 128, bias: false), norm("state_dict.neck.bn0", 64), line("state_dict.neck.fc1", 24, 64, bias: false)),
            Head([.linear(64, bias: false), .batchNorm(affine: true), .relu, .linear(24, bias: false)]), "OpenSelfSup")
        check(try read(named("backbone.", trunk), line("projector.0", 64, 128), line("projector.2", 24, 64)), mlp, "a backbone and a projector")
        let vissl = "classy_state_dict.base_model.model."
        check(try read(named(vissl + "trunk._feature_blocks.", trunk), line(vissl + "heads.0.clf.0", 64, 128), line(vissl + "heads.1.clf.0", 24, 64)), mlp, "VISSL")
    }

    @Test func `students, teachers and wrappers are told apart`() throws {
        check(try read(named("state_dict.module.student.", trunk), ["state_dict.module.queue": zeros(8, 16)], named("state_dict.module.teacher.", trunk)), nil, "SEED, state_dict.module.student")
        check(try read(named("teacher.backbone.", trunk), ["teacher.head.last_layer.weight_v": zeros(4, 4)], named("student.module.backbone.", trunk)), nil, "DINO, teacher.backbone")
        check(try read(named("state_dict._orig_mod.module.", trunk), line("state_dict._orig_mod.module.fc", 24, 128)), .linear(24), "torchvision's names, state_dict._orig_mod.module")
        check(try read(named("module.encoder.", trunk), line("module.encoder.fc.0", 64, 128), norm("module.encoder.fc.1", 64), line("module.encoder.fc.3", 24, 64), ["module.predictor.0.weight": zeros(4, 4)]), Head([.linear(64, bias: true), .batchNorm(affine: true), .relu, .linear(24, bias: true)]), "SimSiam")
    }

    @Test func `lightly's numbers of stages and Hugging Face's names are torchvision's`() throws {
        let numbers = ["conv1": "0", "bn1": "1", "layer1": "4", "layer2": "5", "layer3": "6", "layer4": "7"]
        let lightly = Dictionary(uniqueKeysWithValues: trunk.map { name, tensor in
            let dot = name.firstIndex(of: ".") ?? name.endIndex
            return ("state_dict.backbone." + (numbers[String(name[..<dot])] ?? "") + name[dot...], tensor)
        })
        check(try read(lightly), nil, "lightly")
        let alone = Dictionary(uniqueKeysWithValues: lightly.map { ($0.key.replacing("state_dict.backbone.", with: ""), $0.value) })
        check(try read(alone), nil, "lightly: ")
        check(try read(named("state_dict.teacher_backbone.", alone), named("state_dict.student_backbone.", alone.mapValues(cleared))), nil, "lightly, state_dict.teacher_backbone")
    }

    @Test func `lightly-train's checkpoints and exports are of the network that it trains`() throws {
        let head = line("state_dict.projection_head.layers.0", 64, 128), other = trunk.mapValues(cleared)
        check(try read(named("state_dict.embedding_model.wrapped_model._features.", trunk), head), nil, "torchvision's names, state_dict.embedding_model.wrapped_model._features")
        check(try read(named("state_dict.student_embedding_model.wrapped_model._model.", trunk)), nil, "state_dict.student_embedding_model.wrapped_model._model")
        check(
            try read(named("state_dict.student_embedding_model.wrapped_model._model.", other), named("state_dict.teacher_embedding_model.wrapped_model._model.", trunk)), nil,
            "state_dict.teacher_embedding_model.wrapped_model._model")
        check(try read(named("wrapped_model._model.", trunk), line("wrapped_model._model.fc", 10, 128)), nil, "left out: wrapped_model._model")
        check(try read(named("wrapped_model._features.", trunk)), nil, "torchvision's names, wrapped_model._features")
    }

    @Test func `a backbone may have timm's names in another program's checkpoint`() throws {
        let weights = formulaWeights("efficientnet-b0", dimension: 24), lines = try String(contentsOfFile: golden("timm-names.tsv"), encoding: .utf8).split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        let tensors = WeightsDocument.tensors(of: weights), own = Dictionary(uniqueKeysWithValues: lines.map { ($0[1], tensors[$0[0]] ?? zeros(1)) })
        #expect(Set(lines.map { $0[0] }) == Set(tensors.keys.filter { !$0.hasPrefix("classifier.") && !$0.hasSuffix(".num_batches_tracked") }))
        let file = try read(
            named("state_dict.module.encoder_q.", own), line("state_dict.module.encoder_q.classifier.0", 64, 1280), line("state_dict.module.encoder_q.classifier.2", 24, 64),
            ["state_dict.module.queue": zeros(24, 16)])
        #expect(file.weights.network.name == "efficientnet-b0" && file.weights.network.head == .mlp(hidden: 64, 24), "\(file.coverage)")
        let found = WeightsDocument.tensors(of: file.weights)
        for line in lines { #expect(found[line[0]] == tensors[line[0]], "\(line[0])") }
    }

    @Test func `solo-learn's encoder takes pixels as ImageNet has them, that of Spijkervet plain ones`() throws {
        let projector = line("state_dict.projector.0", 64, 128).merging(line("state_dict.projector.2", 24, 64)) { $1 }
        let solo = try read(named("state_dict.encoder.", trunk), projector, line("state_dict.classifier", 10, 128))
        check(solo, .mlp(hidden: 64, 24), "solo-learn, state_dict.encoder")
        check(
            try read(named("state_dict.encoder.", trunk), projector, line("state_dict.classifier", 10, 128), line("state_dict.predictor.0", 8, 24)), .mlp(hidden: 64, 24), "solo-learn, state_dict.encoder")
        #expect(solo.weights.network.pixels == .imageNet)
        let other = try read(named("encoder.", trunk), line("projector.0", 64, 128, bias: false), line("projector.2", 24, 64, bias: false))
        #expect(other.coverage.hasPrefix("SimCLR of Spijkervet") && other.weights.network.pixels == .plain, "\(other.coverage)")
    }

    @Test func `BYOL of lucidrains keeps a classifier in its network, and a projector that is no list of layers is left out`() throws {
        let network = named("online_encoder.net.", trunk).merging(line("online_encoder.net.fc", 10, 128)) { $1 }, target = named("target_encoder.net.", trunk.mapValues(cleared))
        check(try read(network, target, line("online_encoder.projector.0", 64, 128), norm("online_encoder.projector.1", 64), line("online_encoder.projector.3", 24, 64)), Head([.linear(64, bias: true), .batchNorm(affine: true), .relu, .linear(24, bias: true)]), "BYOL of lucidrains")
        let simplicial = line("online_encoder.projector.0.0", 64, 128).merging(norm("online_encoder.projector.0.1", 64)) { $1 }
        check(try read(network, target, simplicial, line("online_encoder.projector.2.0", 24, 64)), nil, "left out: online_encoder.")
    }

    @Test func `parts of a tensor that are not all there are named as the file names them`() throws {
        let state = try state("vit-small-16")
        func file(_ leaveOut: String?, _ size: Int = 384) -> [String: Tensor] {
            var tensors = ["embeddings.cls_token": zeros(1, 1, 384), "embeddings.patch_embeddings.projection.weight": zeros(384, 3, 16, 16)]
            for name in ["query", "key", "value"] where name != leaveOut { tensors["encoder.layer.0.attention.attention.\(name).weight"] = zeros(name == "key" ? size : 384, 384) }
            return tensors
        }
        #expect(state["blocks.0.attn.qkv.weight"]?.shape == [1152, 384])
        let missing = TestSupport.failure { _ = try read(file("key")) }
        #expect(missing?.kind == .data && missing?.what.contains("has 2 of the 3 parts of 'blocks.0.attn.qkv.weight': 'encoder.layer.0.attention.attention.query.weight', 'encoder.layer.0.attention.attention.value.weight'") == true, "\(String(describing: missing))")
        let unequal = TestSupport.failure { _ = try read(file(nil, 383)) }
        #expect(unequal?.kind == .data && unequal?.what.contains("whose types or shapes differ: 'encoder.layer.0.attention.attention.query.weight'") == true, "\(String(describing: unequal))")
        // A name that only looks like a part is treated like any other name.
        let odd = TestSupport.failure { _ = try read(trunk, ["layer1#1": zeros(1)]) }
        #expect(odd?.what.contains("'layer1#1' is unexpected") == true, "\(String(describing: odd))")
    }

    /// Tensors with a network's shapes, all zero except running variances; the first kernel distinguishes the files.
    private func state(_ name: String) throws -> [String: Tensor] { WeightsDocument.tensors(of: formulaWeights(try #require(Network(name, head: .none)))) }

    @Test func `RegNets of VISSL, of transformers and of timm are torchvision's under other names`() throws {
        let lines = try String(contentsOfFile: golden("regnet-names.tsv"), encoding: .utf8).split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        let network = try state("regnet-y-400mf").filter { !$0.key.hasSuffix(".num_batches_tracked") }
        #expect(lines.first == ["torchvision", "transformers", "vissl", "timm"] && Set(lines.dropFirst().map { $0[0] }) == Set(network.keys))
        func named(_ column: Int, _ prefix: String) -> [String: Tensor] { Dictionary(uniqueKeysWithValues: lines.dropFirst().map { (prefix + $0[column], network[$0[0]] ?? zeros(1)) }) }
        let base = "classy_state_dict.base_model.model."
        // SEER's head, narrower, with its prototypes.
        let head = line(base + "heads.0.projection_head.0", 64, 440).merging(line(base + "heads.0.projection_head.2", 24, 64)) { $1 }
        let classifier = line("classifier.1", 30, 440)
        for (parts, expected, words) in [
            ([named(2, base + "trunk.")], Head.none, "VISSL, \(base)trunk._feature_blocks: regnet-y-400mf without a head; 329 of 329 tensors"),
            (
                [named(2, base + "trunk."), head, [base + "heads.0.prototypes0.weight": zeros(30, 24)]], .mlp(hidden: 64, 24),
                "VISSL, \(base)trunk._feature_blocks: regnet-y-400mf with a head of 64, 24"
            ),
            ([named(1, "")], .none, "Hugging Face: regnet-y-400mf without"), ([named(1, "regnet."), classifier], .linear(30), "Hugging Face, regnet: regnet-y-400mf with a head of 30"),
            ([named(0, "")], .none, "torchvision's names: regnet-y-400mf"), ([named(3, ""), line("head.fc", 30, 440)], .linear(30), "timm: regnet-y-400mf with a head of 30"),
            ([named(3, "state_dict.embedding_model.wrapped_model._model.")], .none, "timm, state_dict.embedding_model.wrapped_model._model: regnet-y-400mf without"),
        ] {
            let file = try read(parts.reduce(into: [:]) { $0.merge($1) { $1 } })
            #expect(file.weights.network.name == "regnet-y-400mf" && file.weights.network.head == expected && file.coverage.hasPrefix(words), "\(file.coverage)")
            let tensors = WeightsDocument.tensors(of: file.weights)
            for (key, tensor) in network { #expect(tensors[key] == tensor, "\(key)") }
        }
    }

    @Test func `a first convolution of 3×3 is a stem for small images`() throws {
        let file = try read(named("state_dict.backbone.", try state("resnet18-small-stem")), line("state_dict.projector.0", 64, 512), line("state_dict.projector.2", 24, 64))
        #expect(file.weights.network.name == "resnet18-small-stem" && file.coverage.contains("a backbone and a projector"), "\(file.coverage)")
        #expect(try read(try state("resnet18")).weights.network.name == "resnet18")
    }

    @Test(arguments: ["seed-mobilenet-v3-large", "seed-efficientnet-b0", "resnet18"])
    func `SEED's students are recognised by their names, with their head`(name: String) throws {
        let network = try state(name), d = try #require(Network(name, head: .none)).featureWidth
        let file = try read(
            named("state_dict.module.student.", network), line("state_dict.module.student.fc.0", d, d), line("state_dict.module.student.fc.2", 24, d),
            named("state_dict.module.teacher.", network), ["state_dict.module.queue": zeros(24, 16)])
        #expect(file.weights.network.name == name && file.weights.network.head == .mlp(hidden: d, 24), "\(file.coverage)")
        #expect(file.coverage.hasPrefix("SEED, state_dict.module.student"), "\(file.coverage)")
        let tensors = WeightsDocument.tensors(of: file.weights)
        for (key, tensor) in network { #expect(tensors[key] == tensor, "\(key)") }
    }

    @Test func `definitions name networks, and are refused where there is none`() throws {
        #expect(try WeightsDocument.networkName("efficientnet-b0", by: .seed) == "seed-efficientnet-b0")
        #expect(try WeightsDocument.networkName("seed-efficientnet-b1", by: .seed) == "seed-efficientnet-b1")
        #expect(try WeightsDocument.networkName("efficientnet-b0", by: .torchvision) == "efficientnet-b0" && WeightsDocument.networkName(nil, by: nil) == nil)
        for (name, definition, words) in [
            ("resnet18", Definition.seed, "SEED has no definition of its own of 'resnet18'"), ("seed-efficientnet-b0", .torchvision, "torchvision has no definition"),
            ("resnet19", .seed, "no network is named 'resnet19'"), (nil, .seed, "name one"),
        ] {
            let failure = TestSupport.failure { _ = try WeightsDocument.networkName(name, by: definition) }
            #expect(failure?.kind == .usage && "\(failure?.what ?? "") \(failure?.remedy ?? "")".contains(words), "\(String(describing: failure))")
        }
    }

    @Test func `numbers in names that no network has are no trap`() throws {
        for name in ["trunk._feature_blocks.res-9223372036854775808.block.x.weight", "encoder.stages.9223372036854775807.layers.0.layer.0.convolution.weight"] {
            let mark = ["encoder.stages.0.layers.0.layer.2.attention.0.weight": zeros(1)]
            #expect(TestSupport.failure { _ = try read([name: zeros(1)], mark) }?.kind == .data)
        }
    }

    @Test func `a prefix that a user names is taken, and one that nothing has is an error`() throws {
        check(try read(named("odd.names.", trunk), prefix: "odd.names."), nil, "torchvision's names, odd.names")
        let wrong = TestSupport.failure { _ = try read(named("odd.names.", trunk), prefix: "even.") }
        #expect(wrong?.kind == .data && wrong?.what.contains("no tensor whose name begins with 'even.'") == true)
    }

    @Test func `a network that lacks a tensor is refused, so that none stays as it began`() throws {
        var less = named("state_dict.module.encoder_q.", trunk)
        less["state_dict.module.encoder_q.layer2.0.conv1.weight"] = nil
        let failure = TestSupport.failure { _ = try read(less) }
        #expect(failure?.kind == .data && failure?.what.contains("'layer2.0.conv1.weight' is missing") == true, "\(String(describing: failure))")
    }

    private static let hasTorch = Workplace.runs("\(PyTorchTests.python) -c 'import torch, torchvision, safetensors'")

    @Test(.enabled(if: Effort.isLong, "only in make test-long"), .enabled(if: hasTorch, "no Python with torch and torchvision; SEED_PYTHON may name one"))
    func `files that PyTorch writes in the layouts of seventeen programs and both formats have its numbers`() throws {
        try folder.perform("'\(PyTorchTests.python)' '\(golden("torch_files.py"))' files")
        let names = try folder.contents("files").filter { $0.hasSuffix(".pth") }, expected = try DocumentFile.read(folder.path("files/expected.safetensors"))
        #expect(names.count == 34)
        for name in names {
            let file = try WeightsFile(folder.path("files/" + name)), tensors = WeightsDocument.tensors(of: file.weights)
            #expect(file.weights.network.name == "resnet18", "\(name): \(file.coverage)")
            for (key, tensor) in expected.tensors { #expect(tensors[key] == tensor, "\(name): \(key)") }
        }
    }
}

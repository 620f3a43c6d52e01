import Checkpoints
import Kernels
import Networks
import TensorStreams
import TestSupport
import Testing
import ToolSupport

@Suite struct WeightsDocumentTests {
    let weights: Weights
    let document: TensorDocument

    init() {
        weights = formulaWeights("tiny-resnet10", dimension: 24)
        for index in weights.batchesSeen.indices { weights.batchesSeen[index] = 100 + index }
        document = TensorDocument(metadata: ["network": "tiny-resnet10"], tensors: WeightsDocument.tensors(of: weights))
    }

    func read(_ document: TensorDocument, network: String? = nil, prefix: String = "") throws -> Weights {
        try WeightsDocument.weights(in: document, path: "w.safetensors", network: network, prefix: prefix)
    }

    /// The message with which reading rejects the document after a change.
    func failure(network: String? = nil, kind: Failure.Kind = .data, _ change: (inout TensorDocument) throws -> Void) throws -> String {
        var changed = document
        try change(&changed)
        let failure = #expect(throws: Failure.self) { try read(changed, network: network) }
        #expect(failure?.kind == kind)
        let text = failure?.description ?? ""
        #expect(text.hasPrefix(kind == .data ? "w.safetensors: " : "no network") && !text.contains("\n"))
        return text
    }

    func expectEqual(_ a: Weights, _ b: Weights, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(a.network.name == b.network.name && a.network.head == b.network.head, sourceLocation: sourceLocation)
        #expect(firstDifference(a.parameters.array, b.parameters.array) == nil, sourceLocation: sourceLocation)
        #expect(firstDifference(a.statistics.array, b.statistics.array) == nil, sourceLocation: sourceLocation)
        #expect(a.batchesSeen == b.batchesSeen, sourceLocation: sourceLocation)
    }

    @Test func `what is written is read back`() throws {
        expectEqual(try read(document), weights)
    }

    @Test func `names, shapes and the order of convolutions are PyTorch's`() throws {
        let conv = try document.tensor("layer1.0.conv1.weight", .f32, shape: [16, 16, 3, 3]).floats()
        // The formula follows PyTorch's order.
        let scale = Float((6 / Double(16 * 9)).squareRoot())
        #expect(firstDifference(conv, formula("layer1.0.conv1.weight", 16 * 16 * 9).map { $0 * scale }) == nil)
        #expect(try document.tensor("bn1.num_batches_tracked", .i64, shape: []).integers() == [100])
        for (name, shape) in [("conv1.weight", [16, 3, 3, 3]), ("bn1.running_var", [16]), ("layer2.0.downsample.0.weight", [32, 16, 1, 1]), ("fc.2.weight", [24, 128])] {
            #expect(document.tensors[name]?.shape == shape, "\(name)")
        }
        let entries = weights.network.parameters.count + 3 * weights.network.statistics.count
        #expect(document.tensors.count == entries)
    }

    @Test func `the network and its head are known by their shapes alone`() throws {
        // These share another network's tensors: the layout or the user distinguishes them.
        for name in Network.names where !["vit-small-16-moco-v3", "resnet50-same"].contains(name) {
            for head in [Head.none, .linear(7), .mlp(hidden: 20, 5)] {
                let network = try #require(Network(name, head: head))
                // Only shapes: the widest network has half a billion weights.
                var tensors = network.parameters.map { TensorOutline(name: $0.name, dtype: .f32, shape: $0.shape, byteCount: 4 * $0.count) }
                for s in network.statistics {
                    for part in ["running_mean", "running_var"] { tensors.append(TensorOutline(name: "\(s.name).\(part)", dtype: .f32, shape: [s.C], byteCount: 4 * s.C)) }
                }
                // Another program's description of the head.
                for metadata in [[:], ["network": name, "head": "mlp 512-512-128 (fc.0, ReLU, fc.2)"]] {
                    let found = try WeightsDocument.network(in: DocumentOutline(metadata: metadata, tensors: tensors, path: "x"), path: "x")
                    #expect(found.name == name && found.head == head)
                }
            }
        }
    }

    @Test func `a head whose end no tensor tells, and images of other channels, are known from the file`() throws {
        let head = Head([.linear(20, bias: false), .batchNorm(), .relu, .linear(5), .batchNorm(affine: false), .l2Norm])
        for (head, channels) in [(head, 1), (Head([.linear(6), .l2Norm]), 3), (.linear(4), 5)] {
            let network = try #require(Network("tiny-resnet10", head: head, channels: channels))
            let document = TensorDocument(metadata: WeightsDocument.metadata(of: network), tensors: WeightsDocument.tensors(of: Weights(network)))
            let found = try read(document).network
            #expect(found.head == head && found.channels == channels && document.metadata["head"] == (head.isToldByTensors ? nil : head.text))
            #expect(((try? WeightsDocument.checkColours(found, path: "x")) != nil) == (channels == 3))
        }
    }

    @Test func `missing, unexpected and misshapen tensors are named`() throws {
        let text = try failure {
            $0.tensors["layer2.0.bn1.weight"] = nil
            $0.tensors["bn1.running_mean"] = nil
            $0.tensors["layer9.weight"] = Tensor(f32: [1], shape: [1])
            $0.tensors["another"] = Tensor(f32: [], shape: [0])
            $0.tensors["layer1.0.conv1.weight"] = Tensor(f32: [Float](repeating: 0, count: 16 * 16 * 9), shape: [16, 16, 9])
            $0.tensors["bn1.num_batches_tracked"] = Tensor(i64: [1, 2], shape: [2])
        }
        for words in [
            "; 'bn1.running_mean', 'layer2.0.bn1.weight' are missing; 'another', 'layer9.weight' are unexpected; name the right --network",
            "'bn1.num_batches_tracked' is [2] where [] is expected, and 'layer1.0.conv1.weight' differs too",
            "6 of its names", "tiny-resnet10",
        ] { #expect(text.contains(words), "\(words): \(text)") }
    }

    @Test func `of many names the first three are told, how many more there are and what all begin with`() throws {
        let text = try failure { changed in
            changed.tensors = Dictionary(uniqueKeysWithValues: document.tensors.map { ("module.encoder_q." + $0.key, $0.value) })
        }
        // The head is not recognised behind its prefix, so none is expected.
        let count = weights.network.parameters.count + 2 * weights.network.statistics.count - 4
        #expect(text == """
            w.safetensors: is no tiny-resnet10: \(count + document.tensors.count) of its names do not fit the \(count) expected: \
            'bn1.bias', 'bn1.running_mean', 'bn1.running_var' and \(count - 3) more are missing; 'module.encoder_q.bn1.bias', \
            'module.encoder_q.bn1.num_batches_tracked', 'module.encoder_q.bn1.running_mean' and \(document.tensors.count - 3) more \
            (all begin with 'module.encoder_q.') are unexpected; extract the network with convert-weights --prefix 'module.encoder_q.'
            """)
    }

    @Test func `weights of one network are refused as another, by name`() throws {
        let asked = try failure(network: "small-resnet18") { _ in }
        #expect(asked.contains("is no small-resnet18") && asked.contains("'layer1.1.bn1.{bias, running_mean, running_var, weight}'"))
        let unknown = try failure(network: "resnet19", kind: .usage) { _ in }
        #expect(unknown.contains("'resnet19'") && unknown.contains("did you mean resnet18?"))
        let metadata = try failure { $0.metadata["network"] = "resnet19" }
        #expect(metadata.contains("'resnet19'"))
        #expect(try failure { $0.tensors = [:] }.contains("'bn1.{bias, running_mean, running_var, weight}', 'conv1.weight', "))
    }

    @Test func `half precision is read, to the nearest number it has`() throws {
        for type in [DType.f16, .bf16, .f64] {
            var half = document
            half.tensors = try document.tensors.mapValues { $0.dtype == .f32 ? try $0.converted(to: type) : $0 }
            #expect(half.tensors["conv1.weight"]?.dtype == type)
            let found = try read(half)
            let step: Float = type == .f16 ? 0x1p-11 : type == .bf16 ? 0x1p-8 : 0
            for (a, b) in zip(found.parameters.array, weights.parameters.array) where abs(a - b) > step * abs(b) + (type == .f16 ? 0x1p-25 : 0) {
                Issue.record("\(a) where \(b) was written as \(type)")
                break
            }
            #expect((firstDifference(found.parameters.array, weights.parameters.array) == nil) == (type == .f64))
            #expect(found.batchesSeen == weights.batchesSeen)
        }
    }

    @Test func `a prefix chooses among several networks, and leaves the others alone`() throws {
        let other = formulaWeights("tiny-resnet18", dimension: 3)
        var both = document
        both.metadata = [:]
        both.tensors.merge(WeightsDocument.tensors(of: other, prefix: "training.keys.")) { $1 }
        both.tensors["training.queue"] = Tensor(f32: [1, 2], shape: [2])
        expectEqual(try read(both), weights)
        expectEqual(try read(both, prefix: "training.keys."), other)
        both.tensors["training.keys.bn1.bias"] = nil
        let failure = #expect(throws: Failure.self) { try read(both, prefix: "training.keys.") }
        #expect(failure?.description.contains("bn1.bias' is missing") == true)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `numbers that are not finite are refused, and where they are is said`(bad: Float) throws {
        for name in ["conv1.weight", "layer3.0.bn2.running_var", "fc.2.bias"] {
            let text = try failure {
                let tensor = try #require($0.tensors[name])
                var values = try tensor.floats()
                values[values.count - 1] = bad
                $0.tensors[name] = Tensor(f32: values, shape: tensor.shape)
            }
            #expect(text.contains("'\(name)'") && text.contains("not finite"))
        }
    }

    @Test(arguments: [DType.i32, .u8, .bool])
    func `weights that are integers are refused`(type: DType) throws {
        let text = try failure {
            $0.tensors["bn1.weight"] = Tensor(dtype: type, shape: [16]) { bytes in for i in bytes.indices { bytes[i] = 1 } }
        }
        #expect(text.contains("'bn1.weight'") && text.contains(type.rawValue) && text.contains("floating point"))
    }

    @Test func `counts of batches may be absent, but not be fractions`() throws {
        var without = document
        for s in weights.network.statistics { without.tensors["\(s.name).num_batches_tracked"] = nil }
        let found = try read(without)
        #expect(firstDifference(found.parameters.array, weights.parameters.array) == nil && found.batchesSeen.allSatisfy { $0 == 0 })
        #expect(try failure { $0.tensors["bn1.num_batches_tracked"] = Tensor(f32: [2.5], shape: []) }.contains("bn1.num_batches_tracked"))
    }

    @Test func `a count of batches below zero is refused`() throws {
        #expect(try failure { $0.tensors["bn1.num_batches_tracked"] = Tensor(i64: [-1], shape: []) }.contains("bn1.num_batches_tracked"))
    }

    @Test func `a variance below zero is refused, for it has no root`() throws {
        let text = try failure { $0.tensors["bn1.running_var"] = Tensor(f32: [Float](repeating: -1, count: 16), shape: [16]) }
        #expect(text.contains("'bn1.running_var'"))
    }
}

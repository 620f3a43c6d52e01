import Checkpoints
import Foundation
import Kernels
import Networks
import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// Weights written for other programs. The long tests show that these programs read them.
@Suite struct WritingTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    private func written(_ weights: Weights, _ name: String, names: String, half: Bool = false) throws -> String {
        let path = folder.path(name)
        try WeightsWriter(weights, to: path, names: names).write(to: path, half: half, metadata: [:], input: "w")
        return path
    }

    private func expectEqual(_ a: Weights, _ b: Weights, _ what: String) {
        #expect(a.network.name == b.network.name && a.network.head == b.network.head, "\(what)")
        let (x, y) = (WeightsDocument.tensors(of: a), WeightsDocument.tensors(of: b))
        #expect(x.keys == y.keys && x.allSatisfy { y[$0.key] == $0.value }, "\(what)")
    }

    private func counted(_ weights: Weights) -> Weights {
        for index in weights.batchesSeen.indices { weights.batchesSeen[index] = 1000 + 7 * index }
        return weights
    }

    @Test(arguments: [
        ("resnet18", "torchvision"), ("resnet18", "timm"), ("resnet18", "seed"), ("mobilenet-v2", "timm"), ("mobilenet-v2", "torchvision"), ("efficientnet-b0", "timm"),
        ("efficientnet-b1", "timm"), ("mobilenet-v3-small", "torchvision"), ("efficientnet-lite0", "torchvision"), ("tiny-resnet10", "torchvision"),
    ])
    func `what is written is read back, of whichever names and format`(network: String, names: String) throws {
        let weights = counted(formulaWeights(network, dimension: 12, hidden: names != "timm"))
        for ending in ["pth", "pt", "safetensors", "safetensors.zst"] {
            expectEqual(try WeightsFile(try written(weights, "w." + ending, names: names)).weights, weights, "\(network) \(names) \(ending)")
        }
    }

    @Test(arguments: ["resnet18", "resnet50"]) func `a backbone for detectors is read back without its head and its counts`(network: String) throws {
        let weights = counted(formulaWeights(network, dimension: 12))
        let bare = weights.withoutHead
        expectEqual(try WeightsFile(try written(weights, "m.pth", names: "mmdetection")).weights, bare, "mmdetection")
        for index in bare.batchesSeen.indices { bare.batchesSeen[index] = 0 }
        let file = try WeightsFile(try written(weights, "d.pth", names: "detectron2"))
        expectEqual(file.weights, bare, "detectron2")
        #expect(file.coverage.hasPrefix("detectron2, model: \(network) without a head"))
    }

    @Test func `names are the programs' own`() throws {
        func names(_ network: String, _ target: String, _ file: String = "n.pth", hidden: Bool = false) throws -> Set<String> {
            Set(try TorchFile(try written(formulaWeights(network, dimension: 5, hidden: hidden), file, names: target)).outline.names)
        }
        let mobile = try names("mobilenet-v2", "timm"), efficient = try names("efficientnet-b0", "timm"), lite = try names("efficientnet-lite1", "timm")
        // As timm's `state_dict()` lists them: 314, 360 and 386 names.
        #expect(mobile.count == 314 && efficient.count == 360 && lite.count == 386)
        let shared = ["conv_stem.weight", "bn1.running_var", "blocks.0.0.conv_dw.weight", "blocks.0.0.conv_pw.weight", "blocks.0.0.bn2.bias", "blocks.6.0.conv_pwl.weight", "blocks.6.0.bn3.num_batches_tracked", "conv_head.weight", "bn2.weight", "classifier.bias"]
        for names in [mobile, efficient, lite] { #expect(names.isSuperset(of: shared)) }
        #expect(mobile.contains("blocks.5.2.bn3.weight") && !mobile.contains("blocks.5.3.bn3.weight") && lite.contains("blocks.5.4.conv_pw.weight"))
        #expect(efficient.isSuperset(of: ["blocks.0.0.se.conv_reduce.weight", "blocks.5.3.se.conv_expand.bias"]))
        #expect(try names("resnet18", "timm").isSuperset(of: ["conv1.weight", "layer4.1.bn2.bias", "fc.weight"]))
        #expect(try names("resnet18", "seed", hidden: true).isSuperset(of: ["state_dict.module.student.conv1.weight", "state_dict.module.student.fc.2.bias"]))
        let detector = try names("resnet50", "detectron2")
        #expect(detector.isSuperset(of: [
            "model.stem.conv1.weight", "model.stem.conv1.norm.running_mean", "model.res2.0.shortcut.weight", "model.res2.0.shortcut.norm.bias", "model.res5.2.conv3.norm.running_var",
        ]))
        #expect(detector.count == 265 && !detector.contains { $0.contains("fc") })
    }

    @Test func `networks that a program does not have are refused with the reason`() throws {
        for (network, target, words) in [
            ("mobilenet-v3-large", "timm", "timm has no mobilenet-v3-large: its MobileNetV3 has 1e-5 for epsilon"), ("tiny-resnet10", "timm", "timm has no tiny-resnet10"),
            ("tiny-resnet10", "detectron2", "a 7×7 stem"), ("mobilenet-v2", "detectron2", "detectron2 has no mobilenet-v2"), ("mobilenet-v2", "mmdetection", "mmdetection has no"),
            ("efficientnet-b0", "seed", "other networks of the same names"), ("tiny-resnet10", "seed", "seed has no tiny-resnet10"),
        ] {
            let failure = TestSupport.failure { _ = try written(formulaWeights(network, dimension: 4), "x.pth", names: target) }
            #expect(failure?.kind == .usage && failure?.what.contains(words) == true, "\(String(describing: failure))")
        }
        #expect(!folder.exists("x.pth"))
        for (network, words) in [("wide-resnet50-2", "wider inner"), ("resnet50-w2", "")] {
            let weights = Weights(try #require(Network(network, head: .none)))
            let failure = TestSupport.failure { _ = try WeightsWriter(weights, to: "x.pth", names: "mmdetection") }
            #expect(words.isEmpty ? failure == nil : failure?.what.contains(words) == true)
        }
        for (file, target) in [("x.pkl", "torchvision"), ("x.safetensors", "detectron2"), ("x.onnx", "timm"), ("x.pkl", "mmdetection")] {
            #expect(TestSupport.failure { try WeightsWriter.check(file, names: target) }?.kind == .usage, "\(file) \(target)")
        }
    }

    @Test func `what a user of the program has to set is told`() throws {
        func note(_ network: String, _ target: String, head: Head = .none) throws -> String {
            let weights = Weights(try #require(Network(network, head: head)))
            return try WeightsWriter(weights, to: "x.pth", names: target).note ?? ""
        }
        #expect(try note("resnet18", "detectron2").contains("DEPTH 18, STEM_OUT_CHANNELS 64, RES2_OUT_CHANNELS 64, STRIDE_IN_1X1 False; INPUT.FORMAT RGB, MODEL.PIXEL_MEAN [123.675, 116.28, 103.53]"))
        #expect(try note("resnet18", "detectron2").contains("with FPN"))
        #expect(try note("wide-resnet101-2", "detectron2").contains("DEPTH 101, STEM_OUT_CHANNELS 64, RES2_OUT_CHANNELS 256, WIDTH_PER_GROUP 128"))
        #expect(try note("resnet34", "mmdetection").contains("depth=34, style='pytorch'; neck.in_channels=[64, 128, 256, 512]; bgr_to_rgb=True"))
        #expect(try note("resnet50-w2", "mmdetection").contains("depth=50, base_channels=128"))
        #expect(try note("efficientnet-b2", "timm", head: .linear(7)) == "for timm: timm.create_model('efficientnet_b2', num_classes=7)")
        #expect(try note("tiny-resnet10", "torchvision", head: Head([.linear(6), .l2Norm])).contains("linear 6, l2-norm"))
    }

    @Test func `the ending of a name says the format, and of any other it is safetensors`() {
        for (path, format) in [("a.pth", WeightsFormat.torch), ("a.b/c.pt", .torch), ("x.pkl", .pickle), ("x.onnx", .onnx), ("onnx", .safetensors), ("a.pth/b", .safetensors), ("x.safetensors.zst", .safetensors), ("-", .safetensors)] {
            #expect(WeightsFormat(path) == format, "\(path)")
        }
    }

    @Test func `half precision is to the nearest, and what it cannot hold is refused`() throws {
        let weights = formulaWeights("tiny-resnet10", dimension: 6)
        let file = try TorchFile(try written(weights, "h.pth", names: "torchvision", half: true)), tensors = try file.read(Set(file.outline.names)).tensors
        let all = WeightsDocument.tensors(of: weights)
        #expect(tensors.count == all.count)
        for (name, tensor) in all { #expect(try tensors[name] == (tensor.dtype == .f32 ? tensor.converted(to: .f16) : tensor), "\(name)") }
        weights.parameters.pointer[3] = 1e6
        let failure = TestSupport.failure { _ = try written(weights, "i.pth", names: "torchvision", half: true) }
        #expect(failure?.kind == .data && failure?.location == "'conv1.weight'" && !folder.exists("i.pth"))
    }

    @Test func `every storage of a zip begins at a multiple of 64, and equal weights give equal bytes`() throws {
        let weights = formulaWeights("tiny-resnet10", dimension: 6)
        let bytes = [UInt8](try Data(contentsOf: URL(filePath: try written(weights, "a.pth", names: "torchvision"))))
        #expect(bytes == [UInt8](try Data(contentsOf: URL(filePath: try written(weights, "some other name.pt", names: "torchvision")))))
        // Member by member, from the local headers (APPNOTE.TXT 4.3.7).
        func number(_ at: Int, _ count: Int) -> Int { (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
        var position = 0, names: [String] = []
        while number(position, 4) == 0x0403_4B50 {
            #expect(number(position + 8, 2) == 0 && number(position + 18, 4) == number(position + 22, 4))
            let name = number(position + 26, 2), start = position + 30 + name + number(position + 28, 2)
            #expect(start % 64 == 0)
            names.append(String(decoding: bytes[(position + 30)..<(position + 30 + name)], as: UTF8.self))
            position = start + number(position + 18, 4)
        }
        let count = WeightsDocument.tensors(of: weights).count
        #expect(names == ["data.pkl", ".format_version", ".storage_alignment", "byteorder"].map { "archive/" + $0 } + (0..<count).map { "archive/data/\($0)" } + ["archive/version"])
        #expect(number(position, 4) == 0x0201_4B50 && number(bytes.count - 22, 4) == 0x0605_4B50 && number(bytes.count - 12, 2) == names.count)
    }

    private static let hasPython = Workplace.runs("\(PyTorchTests.python) -c 'import zipfile, pickletools'")

    @Test(.enabled(if: hasPython, "no python3")) func `Python's zipfile finds every checksum right, and pickletools nothing but tensors`() throws {
        _ = try written(formulaWeights("tiny-resnet10", dimension: 6), "a.pth", names: "torchvision")
        _ = try written(formulaWeights("resnet18", dimension: 6), "d.pkl", names: "detectron2")
        try folder.write("""
            import pickletools, sys, zipfile
            archive = zipfile.ZipFile("a.pth")
            assert archive.testzip() is None
            assert archive.read("archive/version") == b"3\\n" and archive.read("archive/byteorder") == b"little"
            def look(pickle):
                operations = [(operation.name, value) for operation, value, _ in pickletools.genops(pickle)]
                pickletools.dis(pickle, out=open("/dev/null", "w"))
                return operations[0][1], sorted({value for name, value in operations if name == "GLOBAL"})
            print(look(archive.read("archive/data.pkl")))
            print(look(open("d.pkl", "rb").read()))
            """, to: "look.py")
        let result = try folder.run("'\(PyTorchTests.python)' look.py")
        #expect(result.status == 0 && result.output == """
            (2, ['collections OrderedDict', 'torch FloatStorage', 'torch LongStorage', 'torch._utils _rebuild_tensor_v2'])
            (4, ['numpy dtype', 'numpy ndarray', 'numpy.core.multiarray _reconstruct'])

            """, "\(result.output) \(result.error)")
    }

    @Test(arguments: [1, 200, 1000, 0xFFFF_FFFF]) func `a zip whose numbers are told as zip64 has them is read`(limit: Int) throws {
        let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (60,), }", values = (0..<60).map { Float($0) / 8 }
        let array = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(head.utf8.count + 1), 0] + Array((head + "\n").utf8) + values.flatMap { littleEndian($0.bitPattern) }
        var output = try OutputFile(folder.path("x.npz")), zip = StoredZip(limit: limit)
        for number in 0..<9 { try array.withUnsafeBytes { try zip.add("array \(number).npy", $0, to: &output) } }
        try zip.end(&output)
        try output.commit()
        let file = try NumPyFile(folder.path("x.npz")), found = try file.read(Set(file.outline.names))
        #expect(found.names == (0..<9).map { "array \($0)" })
        for (_, tensor) in found.tensors { #expect(tensor == Tensor(f32: values, shape: [60])) }
        if Self.hasPython {
            let result = try folder.run("'\(PyTorchTests.python)' -c 'import zipfile; z = zipfile.ZipFile(\"x.npz\"); assert z.testzip() is None; print(len(z.namelist()))'")
            #expect(result.output == "9\n", "\(result.error)")
        }
    }

    @Test func `the mean is found in double precision, the same weights keep their bits, and the largest count stays`() throws {
        let a = counted(formulaWeights("tiny-resnet10", dimension: 6)), b = formulaWeights("tiny-resnet10", dimension: 6)
        for i in 0..<b.network.parameterCount { b.parameters.pointer[i] = b.parameters.pointer[i] * 3 + 0.25 }
        for i in 0..<b.network.statisticsCount { b.statistics.pointer[i] += 0.5 }
        b.batchesSeen[1] = 1 << 40
        var same = WeightsAverage(a, path: "a")
        for _ in 0..<2 { try same.add(a, path: "a") }
        expectEqual(same.weights(), a, "three times the same")
        var mean = WeightsAverage(a, path: "a")
        try mean.add(b, path: "b")
        try mean.add(a, path: "c")
        let found = mean.weights()
        for i in 0..<a.network.parameterCount {
            #expect(found.parameters.pointer[i] == Float((2 * Double(a.parameters.pointer[i]) + Double(b.parameters.pointer[i])) / 3))
        }
        #expect(found.statistics.pointer[5] == Float((2 * Double(a.statistics.pointer[5]) + Double(b.statistics.pointer[5])) / 3))
        #expect(found.batchesSeen[0] == 1000 && found.batchesSeen[1] == 1 << 40)
    }

    @Test func `of weights that differ the file is named`() throws {
        var mean = WeightsAverage(formulaWeights("tiny-resnet10", dimension: 6), path: "first")
        for (network, words) in [
            (formulaWeights("tiny-resnet18", dimension: 6), "is of the network tiny-resnet18 where first is of the network tiny-resnet10"),
            (formulaWeights("tiny-resnet10", dimension: 7), "with the head 'linear 128, relu, linear 7' where first is"),
            (Weights(try #require(Network("tiny-resnet10", head: .mlp(hidden: 128, 6), channels: 1))), "for images of 1 channels"),
        ] {
            let failure = TestSupport.failure { try mean.add(network, path: "second") }
            #expect(failure?.kind == .data && failure?.path == "second" && failure?.what.contains(words) == true, "\(String(describing: failure))")
        }
    }
}

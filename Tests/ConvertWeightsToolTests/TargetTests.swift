import Foundation
import TensorStreams
import TestSupport
import Testing

/// convert-weights for other programs, on the command line.
@Suite struct TargetTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    private func document(_ name: String) throws -> TensorDocument { try DocumentFile.read(place.path(name)) }

    private func expectRefused(_ line: String, _ status: Int32, _ words: String) throws {
        let before = try place.contents(), result = try place.run(line)
        #expect(result.status == status && result.lines.count == 1 && result.error.hasPrefix("convert-weights: ") && result.error.contains(words), "\(line): \(result.error)")
        #expect(try place.contents() == before)
    }

    @Test func `several weights become one, whose metadata all have`() throws {
        try place.perform("""
            initialize --network tiny-resnet10 --embedding 8 -q -o a; initialize --network tiny-resnet10 --embedding 8 --seed 7 -q -o b; initialize --network tiny-resnet18 -q -o c
            convert-weights a b --average -q -o mean; convert-weights b a --average -q -o other.safetensors; convert-weights a b a --average -o thrice.pth
            """)
        let (mean, other, a, b) = (try document("mean"), try document("other.safetensors"), try document("a"), try document("b"))
        #expect(mean.tensors == other.tensors && mean.tensors.keys == a.tensors.keys)
        let (x, y, z) = (try a.tensors["conv1.weight"]?.floats() ?? [], try b.tensors["conv1.weight"]?.floats() ?? [], try mean.tensors["conv1.weight"]?.floats() ?? [])
        #expect(z.count == 432 && z.indices.allSatisfy { z[$0] == Float((Double(x[$0]) + Double(y[$0])) / 2) })
        #expect(mean.metadata["provenance"]?.contains("--seed 7") == true && mean.metadata["provenance"]?.hasSuffix("--average") == true)
        let told = try place.run("convert-weights a b --average -o mean")
        #expect(told.status == 0 && told.error.contains("mean of 2 networks, including their running statistics; the first is torchvision's names: tiny-resnet10"), "\(told.error)")
        try expectRefused("convert-weights a c --average -o out", 65, "c: is of the network tiny-resnet18 where a is of the network tiny-resnet10")
        try place.perform("convert-weights b --mean 0.5 --deviation 0.5 -q -o d; convert-weights a --project 16 -q -o e")
        try expectRefused("convert-weights a d --average -o out", 65, "d: is for pixels of RGB / 255, mean 0.5 0.5 0.5, deviation 0.5 0.5 0.5 where a is")
        #expect(try document("e").tensors["fc.weight"]?.shape == [16, 128] && document("e").tensors["fc.bias"] == nil)
        try expectRefused("convert-weights a --project 129 -o out", 64, "--project 129: a tiny-resnet10 has 128 features")
    }

    @Test(arguments: [
        ("w w -o out", "2 inputs are given where one is expected; give --average to write their mean"), ("w --average -o out", "--average takes two inputs or more"), ("- - --average -o out", "standard input is given twice"),
        ("w --names mmcv -o out", "--names 'mmcv' is not one of torchvision, timm, seed, detectron2, mmdetection"), ("w --fold -o out", "--fold goes with *.onnx"),
        ("w --names detectron2 -o out", "--names detectron2 goes with *.pkl or *.pth"), ("w -o out.pkl", "--names torchvision goes with"), ("w --names timm -o out.onnx", "--names timm goes with"),
        ("w --names timm -o out", "timm has no tiny-resnet10: it has no known network of the same function"), ("w v --average -o v", "would replace the input"),
    ])
    func `what does not go together is 64 and nothing is written`(line: String, words: String) throws {
        try place.perform("initialize --network tiny-resnet10 -q -o w; cp w v")
        try expectRefused("convert-weights \(line)", 64, words)
    }

    private static let python = ProcessInfo.processInfo.environment["SEED_PYTHON"] ?? "python3"
    private static let hasLibraries = Workplace.runs("\(python) -c 'import torch, torchvision, timm, safetensors, zstandard'")

    @Test(
        .enabled(if: Effort.isLong, "only in make test-long"),
        .enabled(if: hasLibraries, "no Python with torch, torchvision, timm, safetensors and zstandard; SEED_PYTHON may name one"),
        arguments: [
            ("torchvision", "resnet18", "resnet18 --embedding 24 --hidden 32", "pth"), ("torchvision", "mobilenet_v3_large", "mobilenet-v3-large --embedding 16", "pth"),
            ("torchvision", "efficientnet_b1", "efficientnet-b1", "pt"), ("timm", "resnet50", "resnet50 --embedding 24", "pth"), ("timm", "wide_resnet50_2", "wide-resnet50-2", "safetensors"),
            ("timm", "mobilenetv2_100", "mobilenet-v2 --embedding 24 --hidden 0", "pth"), ("timm", "efficientnet_b0", "efficientnet-b0", "safetensors"),
            ("timm", "efficientnet_b3", "efficientnet-b3", "pth"), ("timm", "tf_efficientnet_lite0", "efficientnet-lite0", "pth"), ("timm", "tf_efficientnet_lite2", "efficientnet-lite2", "pth"),
            ("seed", "resnet18", "resnet18 --embedding 24", "pth"), ("detectron2", "resnet18", "resnet18 --embedding 24", "pkl"), ("detectron2", "resnet50", "resnet50", "pth"),
            ("mmdetection", "resnet34", "resnet34 --embedding 24", "pth"),
        ])
    func `the library loads it strictly and gives our features and embeddings`(library: String, model: String, network: String, ending: String) throws {
        // One epoch, so that the running statistics differ from their initial values.
        try place.perform("""
            synthesize -q -o shapes --train 40 --test 20 --size 72
            augment --data shapes/train --size 64 --batch 8 --recipe evaluation -q -o v
            initialize --network \(network) -q -o begun
            augment --data shapes/train --size 64 --batch 8 --views 2 -q | train-step --objective moco-v2 --queue-size 16 --learning-rate 1e-4 --student begun -q -o trained
            convert-weights -q trained -o w.safetensors
            embed -q --weights w.safetensors v | embed -q --features --weights w.safetensors -o e
            convert-weights -q --names \(library) trained -o x.\(ending)
            """)
        let record = ["detectron2", "mmdetection"].contains(library) ? "w.safetensors" : "e"
        let result = try place.run("\(Self.python) '\(golden("load_weights.py"))' \(library) \(model) x.\(ending) \(record)")
        let errors = result.output.split(separator: "\n").compactMap { Double($0) }
        #expect(result.status == 0 && !errors.isEmpty && errors.allSatisfy { $0 < 1e-4 }, "\(library) \(model): \(errors) \(result.error.suffix(500))")
    }
}

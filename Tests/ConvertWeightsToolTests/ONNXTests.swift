import Foundation
import TestSupport
import Testing

/// Networks as ONNX. The long tests show that runtimes compute our numbers.
@Suite struct ONNXTests {
    let place: Workplace

    init() throws { place = try Workplace() }

    @Test func `the same network gives the same bytes, with its operators and values`() throws {
        try place.perform("initialize --network tiny-resnet10 --embedding 24 --hidden 32 -q -o w.safetensors; convert-weights -q w.safetensors -o a.onnx; convert-weights -q w.safetensors -o b.onnx")
        let file = try place.bytes("a.onnx")
        #expect(file == (try place.bytes("b.onnx")) && file.first == 8 && file.count > 1_200_000)
        for word in ["Conv", "BatchNormalization", "Relu", "GlobalAveragePool", "Gemm", "images", "features", "embedding", "layer1.0.conv1.weight", "initialize"] {
            #expect(file.range(of: Data(word.utf8)) != nil, "\(word)")
        }
        try place.perform("convert-weights -q --backbone --bytes w.safetensors -o c.onnx")
        let bare = try place.bytes("c.onnx")
        #expect(bare.range(of: Data("Gemm".utf8)) == nil && bare.range(of: Data("Transpose".utf8)) != nil)
    }

    @Test func `folded batch norms are gone, but for one that no convolution makes the values of`() throws {
        try place.perform("""
            initialize --network tiny-resnet10 --head 'batch-norm, relu, linear 8, batch-norm' -q -o w.safetensors
            convert-weights -q --fold w.safetensors -o a.onnx; convert-weights -q --fold w.safetensors -o b.onnx; convert-weights -q --fold --backbone w.safetensors -o c.onnx
            """)
        let (file, bare) = (try place.bytes("a.onnx"), try place.bytes("c.onnx"))
        #expect(file == (try place.bytes("b.onnx")))
        func count(_ word: String, _ file: Data) -> Int { String(decoding: file, as: UTF8.self).components(separatedBy: word).count - 1 }
        #expect(count("BatchNormalization", file) == 1 && count("BatchNormalization", bare) == 0)
        #expect(count("layer1.0.bn1", file) == 0 && count("layer1.0.conv1.bias", bare) == 2)
    }

    @Test func `options that do not go with the file are refused`() throws {
        try place.perform("initialize --network tiny-resnet10 -q -o w.safetensors")
        for (line, words) in [("--half w.safetensors -o a.onnx", "--half goes with"), ("--bytes w.safetensors -o a.safetensors", "--bytes goes with")] {
            let result = try place.run("convert-weights \(line)")
            #expect(result.status == 64 && result.error.contains(words) && !place.exists("a.onnx"), "\(result.error)")
        }
    }

    private static let python = ProcessInfo.processInfo.environment["SEED_PYTHON"] ?? "python3"
    private static let hasRuntime = Workplace.runs("\(python) -c 'import onnx, onnxruntime, safetensors, zstandard'")

    @Test(
        .enabled(if: Effort.isLong, "only in make test-long"), .enabled(if: hasRuntime, "no Python with onnx, onnxruntime, safetensors and zstandard; SEED_PYTHON may name one"),
        arguments: [
            "resnet18 --embedding 64", "resnet50", "mobilenet-v2", "mobilenet-v3-large --embedding 32 --hidden 48", "mobilenet-v3-small", "efficientnet-b0", "efficientnet-lite0",
            "regnet-y-400mf --embedding 32", "seed-efficientnet-b1 --embedding 32", "seed-mobilenet-v3-large", "resnet50-same", "resnet18-small-stem --head simclr",
            "tiny-resnet18 --head 'linear 64 no-bias, batch-norm, relu, linear 32, batch-norm no-affine, l2-norm'",
        ])
    func `onnxruntime gives our features and embeddings`(network: String) throws {
        try place.perform("""
            synthesize -q -o shapes --train 40 --test 20 --size 72
            augment --data shapes/train --size 64 --batch 20 --recipe evaluation -q -o v
            initialize --network \(network) -q -o w.safetensors
            embed -q --weights w.safetensors v | embed -q --features --weights w.safetensors -o e
            convert-weights -q --bytes w.safetensors -o bytes.onnx
            convert-weights -q w.safetensors -o numbers.onnx
            convert-weights -q --fold w.safetensors -o folded.onnx
            """)
        let pixels = network.contains("lite") ? "0.49803922,0.49803922,0.49803922 0.50196078,0.50196078,0.50196078" : "0.485,0.456,0.406 0.229,0.224,0.225"
        for line in ["bytes.onnx e", "numbers.onnx e \(pixels)", "folded.onnx e \(pixels)"] {
            let result = try place.run("\(Self.python) '\(golden("run_onnx.py"))' \(line)")
            let errors = result.output.split(separator: "\n").compactMap { Double($0) }
            #expect(result.status == 0 && errors.count == 2 && errors.allSatisfy { $0 < 1e-5 }, "\(line): \(errors) \(result.error.suffix(500))")
        }
    }
}

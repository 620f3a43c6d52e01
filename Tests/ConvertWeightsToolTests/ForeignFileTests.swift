import Foundation
import TensorStreams
import TestSupport
import Testing

/// Other programs' files that leave out information, or contain more than the network.
@Suite struct ForeignFileTests {
    let place: Workplace

    init() throws {
        place = try Workplace()
        try place.perform("initialize --network tiny-resnet10 --head 'linear 32, relu, linear 16' --seed 3 -q -o w.safetensors")
    }

    /// `w.safetensors` with other names and tensors, as `x.safetensors`.
    private func change(_ rename: (String) -> String = { $0 }, tensors change: (inout [String: Tensor]) -> Void = { _ in }) throws {
        let document = try DocumentFile.read(place.path("w.safetensors"))
        var tensors = Dictionary(uniqueKeysWithValues: document.tensors.map { (rename($0.key), $0.value) })
        change(&tensors)
        try DocumentFile.write(TensorDocument(tensors: tensors), to: place.path("x.safetensors"), checksum: false)
    }

    /// Whether two files have the same tensors.
    private func same(_ a: String, _ b: String) throws -> Bool {
        try place.run("rm -rf a.npy b.npy; inspect --to-npy a.npy \(a) && inspect --to-npy b.npy \(b) && diff -r a.npy b.npy").status == 0
    }

    @Test func `a head with layers that tensors do not tell is read as what is said of it`() throws {
        try place.perform("""
            initialize --network tiny-resnet10 --head 'linear 32, batch-norm, gelu, linear 16, l2-norm' -q -o g.safetensors; convert-weights g.safetensors -q -o g.pth
            synthesize -o shapes --train 4 --test 4 --size 32 -q; augment --data shapes/train --size 32 --batch 4 --recipe evaluation -q -o v
            embed --weights g.safetensors --as z --drop images -q v -o own; embed --weights g.pth --head 'linear 32, batch-norm, gelu, linear 16, l2-norm' --as z --drop images -q v -o told
            """)
        let guess = try place.run("embed --weights g.pth --as z --drop images v -o guess")
        #expect(try guess.status == 0 && same("own", "told") && !same("own", "guess"))
        #expect(try place.run("convert-weights w.safetensors -q -o w.pth; convert-weights w.pth -o y.safetensors").error.contains("with a head of 32, 16 and ReLUs between, an assumption that its tensors do not confirm (--head)"))
        // Not for our own file, which states this, nor for a single layer.
        #expect(try !place.run("convert-weights w.safetensors --head 'linear 32, relu, linear 16' -o y.safetensors").error.contains("rectifiers"))
        for (head, status, words) in [("linear 9, relu, linear 16", 65, "'fc.0.weight' is [32, 128]"), ("moco-v2", 65, "is [32"), ("Moco-v2", 64, "did you mean moco-v2?"), ("none", 64, "convert-weights --backbone")] {
            let result = try place.run("convert-weights w.pth --head '\(head)' -o no")
            #expect(result.status == status && result.error.contains(status == 65 ? "fc.0" : words) && !place.exists("no"), "\(result.error)")
        }
    }

    @Test func `a bias that one layer alone has not got is missing`() throws {
        try change(tensors: { $0["fc.2.bias"] = nil })
        let result = try place.run("convert-weights x.safetensors -o no")
        #expect(result.status == 65 && result.error.contains("'fc.2.bias' is missing; the file is incomplete"), "\(result.error)")
        try change(tensors: { ($0["fc.0.bias"], $0["fc.2.bias"]) = (nil, nil) })
        #expect(try place.run("convert-weights x.safetensors -q -o y.safetensors").status == 0)
    }

    @Test(arguments: [("one.two.module.", "--prefix one.two.module."), ("one.two.module.", "--prefix one.two"), ("one._orig_mod.two.", "--prefix one."), ("module.", "")])
    func `wrappers are taken off behind a beginning too, whose dot may be left out`(beginning: String, option: String) throws {
        try change({ beginning + ($0.hasPrefix("layer1.") ? $0.replacing("layer1.", with: "layer1.module.") : $0) }, tensors: { $0["n_averaged"] = Tensor(i64: [4], shape: []) })
        if option == "--prefix one." { try change({ beginning.replacing("two.", with: "") + $0 }) }
        let result = try place.run("convert-weights x.safetensors \(option) -o y.safetensors")
        #expect(try result.status == 0 && same("y.safetensors", "w.safetensors"), "\(result.error)")
        if option.isEmpty { #expect(result.error.contains("left out: n_averaged")) }
    }

    @Test func `where no network is looked for, it is told where one may be`() throws {
        try change({ "a.b.c." + $0 }, tensors: { $0["optimizer.x"] = Tensor(f32: [1], shape: [1]) })
        let result = try place.run("convert-weights x.safetensors -o no")
        #expect(result.status == 65 && result.error.contains("under 'a.b.c.' there is a tiny-resnet10; extract the network with convert-weights --prefix 'a.b.c.'"), "\(result.error)")
        try place.perform("synthesize -o shapes --train 40 --test 4 --size 32 -q")
        #expect(try place.run("make --no-print-directory -C \(root) check BUILD=no DATA=$PWD/shapes/train NAME=n RUNS=$PWD/runs TEACHER=$PWD/x.safetensors").error.contains("convert-weights --prefix 'a.b.c.'"))
    }

    private var root: String { URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized.path }

    @Test func `a head that is not known stands in the way of nothing that needs none`() throws {
        try change(tensors: { $0["fc.1.weight"] = Tensor(f32: [1], shape: [1]) })
        try place.perform("synthesize -o shapes --train 4 --test 4 --size 32 -q; augment --data shapes/train --size 32 --batch 4 --recipe evaluation -q -o v")
        #expect(try place.run("convert-weights x.safetensors -o no").status == 65 && place.run("embed --weights x.safetensors v -o no").status == 65)
        let bare = try place.run("convert-weights x.safetensors --backbone -o y.safetensors")
        #expect(bare.status == 0 && bare.error.contains("tiny-resnet10 without a head") && bare.error.contains("left out: fc.0, fc.1, fc.2"), "\(bare.error)")
        try place.perform("convert-weights w.safetensors --backbone -q -o z.safetensors; embed --weights x.safetensors --features --drop images -q v -o one; embed --weights w.safetensors --features --drop images -q v -o two")
        #expect(try same("y.safetensors", "z.safetensors") && same("one", "two"))
        try place.perform("initialize --from x.safetensors --classes 5 -q -o c; convert-weights x.safetensors --project 8 -q -o p")
    }

    @Test func `every name that does not fit is told`() throws {
        try change(tensors: { for name in $0.keys where name.hasPrefix("layer3.") && !name.hasSuffix(".num_batches_tracked") { $0[name] = nil } })
        let missing = try place.run("convert-weights x.safetensors --network tiny-resnet10 -o no"), line = missing.error
        #expect(missing.status == 65 && line.contains("'layer3.0.bn1.{bias, running_mean, running_var, weight}'") && line.contains("'layer3.0.downsample.0.weight'") && !line.contains(" more"), "\(line)")
    }

    @Test(arguments: ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "mobilenet-v2"])
    func `timm's names are read back, and say whose they are`(network: String) throws {
        try place.perform("initialize --network \(network) --head 'linear 7' -q -o a.safetensors; convert-weights a.safetensors -q -o own.safetensors; convert-weights a.safetensors --names timm -q -o t.pth")
        let back = try place.run("convert-weights t.pth -o back.safetensors")
        #expect(try back.status == 0 && back.error.contains("timm: \(network) ") && same("own.safetensors", "back.safetensors"), "\(back.error)")
    }

    @Test func `what a file of tensors alone does not tell is said where it is written`() throws {
        let pixels = try place.run("convert-weights w.safetensors --mean 0.5 --deviation 0.5 -o m.safetensors; convert-weights m.safetensors -o m.pth")
        #expect(pixels.error.contains("the file does not record how bytes become numbers: ") && pixels.error.contains("(--mean, --deviation)"), "\(pixels.error)")
        #expect(try !place.run("convert-weights w.safetensors -o m.pth").error.contains("does not record how"))
    }

    @Test func `files of other kinds are named, and so is what to do`() throws {
        try place.write("Not found\n", to: "page.pth")
        try place.perform("convert-weights w.safetensors -q -o w.pth; convert-weights w.safetensors -q -o w.onnx")
        for (command, words) in [
            ("convert-weights page.pth -o no", "page.pth: is text, not a file of tensors"), ("convert-weights w.onnx -o no", "is an ONNX file, whose tensors are not read"),
            ("cat w.pth | convert-weights - -o no", "it can only be read from a regular file, not from a pipe; name a file"), ("convert-weights w.safetensors -o no.npz", "'no.npz' ends in .npz, which cannot be written"),
        ] {
            let result = try place.run(command)
            #expect(result.status != 0 && result.lines.count == 1 && result.error.contains(words) && !place.exists("no"), "\(result.error)")
        }
    }

    @Test func `inspect lists what torch.save wrote`() throws {
        try place.perform("convert-weights w.safetensors -q -o w.pth")
        let shown = try place.run("inspect w.pth")
        #expect(shown.status == 0 && shown.output.contains("w.pth: file of torch.save") && shown.output.contains("fc.2.bias") && shown.output.contains(" tensors, "), "\(shown.error)")
        try place.perform("convert-weights w.safetensors -q -o own.safetensors")
        #expect(try same("w.pth", "own.safetensors"))
        #expect(try place.run("inspect --verify w.pth").output.contains("ok, ") && place.run("inspect w.pth --records 0..1").status == 64)
        try place.perform("head -c 2000 w.pth > cut.pth")
        #expect(try place.run("inspect cut.pth").status == 65)
    }
}

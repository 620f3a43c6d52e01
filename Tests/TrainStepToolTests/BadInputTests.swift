import Foundation
import TensorStreams
import TestSupport
import Testing

struct BadInputTests {
    @Test func `a stream that is empty, cut anywhere or changed anywhere is 65`() throws {
        let place = try Workplace.training()
        let whole = try place.bytes("taught")
        try place.write(Data(), to: "bad")
        for tool in ["train-step --student student", "embed --weights teacher --as more"] {
            try place.expectFailure("\(tool) bad -q -o out", 65, "bad: is empty where a tensor stream is expected")
        }
        for part in 1..<8 {
            try place.write(whole.prefix(whole.count * part / 8 - part), to: "bad")
            try place.expectFailure("train-step --student student bad -q -o out", 65, "train-step: bad: ")
            try place.expectFailure("embed --weights teacher --as more bad -q -o out", 65, "embed: bad: ")
            var changed = whole
            changed[whole.count * part / 8] ^= 4
            try place.write(changed, to: "bad")
            try place.expectFailure("train-step --student student bad -q -o out", 65, "train-step: bad: byte ")
            try place.expectFailure("cat bad | embed --weights teacher --as more -q -o out", 65, "embed: standard input: byte ")
        }
    }

    @Test func `a checkpoint that is empty, cut or no checkpoint is 65`() throws {
        let place = try Workplace.training()
        let whole = try place.bytes("student")
        let cases: [(Data, String)] = [
            (Data(), "bad: "), (whole.prefix(5), "bad: "), (whole.prefix(900), "bad: "), (whole.dropLast(1), "bad: "), (whole + [0], "bad: "),
            (Data("text, and some more of it".utf8), "bad: "), (try place.bytes("views"), "is a tensor stream where a single document is expected"),
        ]
        for (bytes, words) in cases {
            try place.write(bytes, to: "bad")
            for line in ["train-step --student bad taught", "embed --weights bad views", "convert-weights bad"] {
                try place.expectFailure("\(line) -q -o out", 65, words)
            }
        }
    }

    @Test func `a checkpoint of another network has its missing, unexpected and misshapen names told`() throws {
        let place = try Workplace.training()
        try place.change("student", into: "bad") {
            $0.tensors["conv1.weight"] = nil
            $0.tensors["bn1.bias"] = nil
            $0.tensors["layer2.0.bn1.running_var"] = Tensor(f32: [1, 2], shape: [2])
            $0.tensors["layer9.weight"] = Tensor(f32: [1], shape: [1])
        }
        for line in ["train-step --student bad taught", "embed --weights bad views", "convert-weights bad"] {
            try place.expectFailure(
                "\(line) -q -o out", 65, "bad: is no tiny-resnet10: 4 of its names do not fit", "'bn1.bias', 'conv1.weight' are missing",
                "'layer2.0.bn1.running_var' is [2] where [32] is expected", "'layer9.weight' is unexpected")
        }
        try place.run("initialize --network tiny-resnet18 --embedding 16 -q -o deeper")
        try place.expectFailure("embed --weights deeper --network tiny-resnet10 views -o out", 65, "48 of its names", "'layer1.1.bn1.{bias, num_batches_tracked, running_mean, running_var, weight}', 'layer1.1.bn2.{", "'layer4.1.conv2.weight' are unexpected")
        try place.expectFailure("embed --weights deeper --network resnet18 views -o out", 65, "'bn1.bias' is [16] where [64] is expected, and 'bn1.{running_mean, running_var, weight}'")
        try place.expectFailure("convert-weights deeper --network vgg -o out", 64, "no network is named 'vgg'; 'initialize --help' lists all")
    }

    @Test func `numbers that cannot be weights are named`() throws {
        let place = try Workplace.training()
        try place.change("student", into: "infinite") { $0.tensors["fc.0.bias"] = Tensor(f32: (0..<128).map { $0 == 7 ? .infinity : 0 }, shape: [128]) }
        try place.expectFailure("train-step --student infinite taught -o out", 65, "infinite: 'fc.0.bias': holds numbers that are not finite")
        try place.change("student", into: "whole") { $0.tensors["bn1.weight"] = Tensor(i64: (0..<16).map { $0 }, shape: [16]) }
        try place.expectFailure("embed --weights whole views -o out", 65, "whole: 'bn1.weight': is I64 where floating point numbers are expected")
    }

    @Test func `a checkpoint whose training state is damaged is 65`() throws {
        let place = try Workplace.training()
        try #require(try place.run("train-step --student student taught --queue-size 30 -o next").status == 0)
        for (name, tensor) in [
            ("training.momentum.conv1.weight", Tensor(f32: [1], shape: [1])), ("training.loss.queue.position", Tensor(i64: [30], shape: [1])),
            ("training.unheard-of", Tensor(f32: [1], shape: [1])), ("training.loss.queue", Tensor(f32: [0, 0], shape: [1, 2])),
        ] {
            try place.change("next", into: "bad") { $0.tensors[name] = tensor }
            try place.expectFailure("train-step --student bad taught -q -o out", 65, name.split(separator: ".").last.map(String.init) ?? "")
        }
        try place.expectFailure("train-step --student next taught --queue-size 31 -q -o out", 65, "holds a queue of 30 rows where --queue-size asks for 31")
    }

    @Test func `counts in metadata that no stream can have do not count`() throws {
        let place = try Workplace.training()
        for number in ["\(Int.max)", "\(Int.min)", "-1", "99999999999999999999", "many"] {
            let (header, records) = try place.read("taught")
            var other = header
            for key in ["epoch", "epochs", "records", "images", "pictures", "samples", "batch"] { other.metadata[key] = number }
            let writer = try StreamWriter(place.path("odd"), header: other)
            for record in records {
                var record = record
                record.metadata = ["epoch": number, "step": number]
                try writer.write(record)
            }
            try writer.commit()
            try place.change("student", into: "worn") { $0.metadata["steps"] = number }
            let result = try place.run("train-step --student worn odd -q -o out && embed --weights teacher --as more odd -q -o more")
            #expect(result.status == 0 && result.error.isEmpty, "\(number): \(result.error)")
            #expect(try place.document("out").metadata["epoch"] == "1" && place.document("out").metadata["steps"] == "6")
        }
    }

    @Test func `widths that no network has are named`() throws {
        let place = try Workplace()
        // A tensor without elements may claim any width.
        try DocumentFile.write(
            TensorDocument(tensors: ["fc.0.weight": Tensor(u8: [], shape: [1 << 32, 0]), "fc.2.weight": Tensor(u8: [], shape: [1 << 32, 0])]), to: place.path("wide"))
        try place.expectFailure("convert-weights wide -o out", 65, "wide: has 'fc.0.weight' of shape [4294967296, 0], which no network has")
    }

    @Test func `weights that half precision cannot hold are named`() throws {
        let place = try Workplace.training()
        try place.change("student", into: "large") { $0.tensors["fc.0.bias"] = Tensor(f32: (0..<128).map { $0 == 7 ? 1e5 : 0 }, shape: [128]) }
        try place.expectFailure("convert-weights large --half -o out", 65, "large: 'fc.0.bias': holds numbers above 65504, which half precision cannot hold")
        #expect(try place.run("convert-weights large -q -o out").status == 0)
    }

    @Test func `what there is no memory for is one line and 74`() throws {
        let place = try Workplace.training()
        try place.change("taught", into: "large") { number, record in
            var record = record
            record.tensors["images"] = Tensor(u8: [UInt8](repeating: 1, count: 16 * 3 << 20), shape: [16, 1, 1 << 10, 1 << 10, 3])
            return number == 0 ? record : nil
        }
        // The threads' unused stacks count as well.
        for line in ["train-step --student student large --threads 1 -q -o out", "embed --weights teacher large --as more --threads 1 -q -o out"] {
            let result = try place.run("ulimit -v 1500000; \(line)")
            #expect(result.status == 74 && result.lines.count == 1 && result.error.contains("there is no memory for"), "\(result.status) \(result.error)")
            #expect(!place.hasUnfinished && !place.exists("out"))
        }
    }

    @Test func `a stream without records is 65`() throws {
        let place = try Workplace.training()
        try place.change("taught", into: "none") { _, _ in nil }
        try place.expectFailure("train-step --student student none -o out", 65, "none: has no records; the program that wrote it had no images")
        try place.expectFailure("embed --weights teacher none -o out", 65, "none: has no records; the program that wrote it had no images")
    }

    @Test func `records that an objective cannot use are named, with what to do`() throws {
        let place = try Workplace.training()
        try place.expectFailure("train-step --student student views -o out", 65, "views: record 0: has no tensor 'teacher'; it has images, index, label")
        for objective in ["moco-v2", "supervised-contrastive"] {
            try place.expectFailure(
                "train-step --student student views --objective \(objective) -o out", 65,
                "views: record 0: has 1 view of each image where --objective \(objective) needs 2; give augment --views 2")
        }
        try place.run("initialize --network tiny-resnet10 --embedding 8 -q -o narrow")
        try place.expectFailure(
            "train-step --student narrow taught -o out", 65,
            "taught: record 0: has teacher embeddings of 16 numbers where the student's have 8; make a student with initialize --embedding 16")
        try place.change("pairs", into: "unlabelled") { number, record in
            var record = record
            if number == 2 { record.tensors["label"] = Tensor(i32: (0..<16).map { $0 == 9 ? -1 : 1 }, shape: [16]) }
            return record
        }
        try place.expectFailure(
            "train-step --student student unlabelled --objective supervised-contrastive -q -o out", 65, "unlabelled: record 2: has images without a label")
        try place.change("taught", into: "long") { number, record in
            var record = record
            if number == 3 { record.tensors["teacher"] = Tensor(f32: [Float](repeating: 1, count: 256), shape: [16, 16]) }
            return record
        }
        try place.expectFailure("train-step --student student long -q -o out", 65, "record 3: has row 0 of 'teacher' of length 4.00 where 1 is expected")
    }

    @Test func `images that a network cannot see are named`() throws {
        let place = try Workplace.training()
        let cases: [(String, Tensor)] = [
            ("record 1: has images of 4×8 where tiny-resnet10 needs 8×8", Tensor(u8: [UInt8](repeating: 1, count: 16 * 96), shape: [16, 1, 8, 4, 3])),
            ("record 1: has 'images' of U8 [16, 96]", Tensor(u8: [UInt8](repeating: 1, count: 16 * 96), shape: [16, 96])),
            ("record 1: has 'images' of F32", Tensor(f32: [Float](repeating: 1, count: 16 * 192), shape: [16, 1, 8, 8, 3])),
        ]
        for (words, images) in cases {
            try place.change("taught", into: "bad") { number, record in
                var record = record
                if number == 1 { record.tensors["images"] = images }
                return record
            }
            try place.expectFailure("train-step --student student bad -q -o out", 65, words)
            try place.expectFailure("embed --weights teacher bad --as more -q -o out", 65, words)
        }
        try place.expectFailure("embed --weights teacher taught -o out", 65, "record 0: has a tensor 'teacher' already; name the new one with --as")
        try place.expectFailure("embed --weights teacher pairs --view 2 -o out", 65, "record 0: has 2 views of each image where view 2 is asked for")
        try place.expectFailure("embed --weights teacher pairs --group 1 -o out", 65, "record 0: has no tensor 'images.1'; it has images, index, label")
    }

    @Test(arguments: ["seed", "moco-v2", "supervised-contrastive"])
    func `a loss that is not a number stops the training, and the last checkpoint stands`(objective: String) throws {
        let place = try Workplace.training()
        // Batch norm cancels the scale of its input; the layers after it overflow.
        try place.change("student", into: "huge") { document in
            for name in ["fc.0.weight", "fc.2.weight"] {
                let tensor = try #require(document.tensors[name])
                document.tensors[name] = Tensor(f32: try tensor.floats().map { $0 * 1e30 }, shape: tensor.shape)
            }
        }
        try place.run("cp huge out")
        let before = try place.bytes("out")
        try place.expectFailure(
            "train-step --student huge --objective \(objective) \(objective == "seed" ? "taught" : "pairs") -q -o out", 65,
            "record 0: the loss is nan at epoch 0, step 0; the last checkpoint is intact; lower the learning rate")
        #expect(try place.bytes("out") == before)
        try place.expectFailure("embed --weights huge views -q -o other", 65, "record 0: its embedding holds numbers that are not finite")
    }

    @Test func `a last step that overflows leaves no checkpoint`() throws {
        let place = try Workplace.training()
        try place.change("taught", into: "one") { number, record in number == 0 ? record : nil }
        // The gradient of this loss is finite, but no weight is after a step along it.
        let writer = try StreamWriter(place.path("steep"), header: StreamHeader())
        try writer.write(TensorDocument(tensors: [
            "loss": Tensor(f32: [Float](repeating: 1, count: 16), shape: [16]),
            "gradient": Tensor(f32: (0..<256).map { Float($0 % 7) * 1e34 }, shape: [16, 16]),
        ]))
        try writer.commit()
        try place.expectFailure(
            "train-step --student student one --learning-rate 1e4 --schedule constant --loss 'cat steep; exec >&-; cat > /dev/null' -q -o out", 65,
            "the network holds numbers that are not finite after epoch 0; the last checkpoint is intact")
    }
}

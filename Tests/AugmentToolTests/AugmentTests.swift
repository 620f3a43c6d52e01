import Foundation
import Images
import TensorStreams
import TestSupport
import Testing

struct AugmentTests {
    @Test func `the help has an example and what to see also`() throws {
        let result = try Workplace(images: 1).run("augment --help >&2")
        #expect(result.status == 0 && result.error.contains("augment --data train.tar") && result.error.contains("See also: synthesize"))
    }

    @Test func `a stream has the batches, labels and header that it promises`() throws {
        let place = try Workplace(images: 12)
        let (header, records) = try place.stream("--batch 5 --epoch 3 --epochs 2 --views 2")
        #expect(records.map { $0.tensors["images"]?.shape } == [5, 5, 2, 5, 5, 2].map { [$0, 2, 16, 16, 3] })
        #expect(records.map { "\($0.metadata["epoch"] ?? "") \($0.metadata["step"] ?? "")" } == ["3 0", "3 1", "3 2", "4 0", "4 1", "4 2"])
        #expect(header.metadata["classes"] == #"["ant","bee","cat"]"#)
        #expect(header.metadata["made_of"]?.count == 16 && header.dataSource == header.metadata["made_of"])
        #expect(header.metadata.filter { !["classes", "made_of"].contains($0.key) } == [
            "broken_limit": "0", "samples": "12", "records": "6", "images": "24", "epoch": "3", "epochs": "2", "recipe": "moco-v2", "batch": "5",
        ])
        #expect(header.provenance.lines == ["augment 0.1.0 --data data --size 16 --batch 5 --epoch 3 --epochs 2 --views 2"])
        let (indices, labels) = (try records.indices, try records.labels)
        #expect(Array(indices[..<12]).sorted() == Array(0..<12) && Array(indices[12...]).sorted() == Array(0..<12))
        #expect(indices[..<12] != indices[12...])
        #expect(labels == indices.map { $0 / 4 })
    }

    @Test func `a record's images are the views of the images it names`() throws {
        let place = try Workplace(images: 12)
        let (_, records) = try place.stream("--batch 5 --views 2 --seed 9 --epoch 1 --crop-scale 0.5,0.9")
        let names = (0..<12).map(place.name).sorted()
        let renderer = try ViewRenderer()
        let (indices, rendered): ([Int], [[UInt8]]) = (try records.indices, try records.views)
        try #require(indices.count == 12 && rendered.count == 12)
        for (index, views) in zip(indices, rendered) {
            let jpeg = [UInt8](try place.bytes(names[index]))
            try jpeg.withUnsafeBytes { try renderer.decode($0) }
            let expected = try (0..<2).flatMap { number throws -> [UInt8] in
                let view = Recipe.mocoV2.view(
                    width: renderer.source.width, height: renderer.source.height, size: 16, scale: 0.5...0.9, seed: 9, epoch: 1, item: index, view: number)
                var pixels = [UInt8](repeating: 0, count: 16 * 16 * 3)
                try pixels.withUnsafeMutableBufferPointer { try renderer.render(view, into: $0) }
                return pixels
            }
            #expect(views == expected)
        }
    }

    @Test func `the evaluation recipe keeps the data's order`() throws {
        let (header, records) = try Workplace(images: 12).stream("--recipe evaluation --batch 7")
        #expect(try records.indices == Array(0..<12))
        #expect(header.metadata["recipe"] == "evaluation")
    }

    @Test func `one view is the first of two`() throws {
        let place = try Workplace(images: 12)
        let one = try place.stream("--seed 4").records.views, two = try place.stream("--seed 4 --views 2").records.views
        #expect(one.count == 12 && two.count == 12 && zip(one, two).allSatisfy { $0 == Array($1[..<$0.count]) && $0 != Array($1[$0.count...]) })
    }

    @Test func `one thread and five give equal bytes, and so do two runs`() throws {
        let place = try Workplace(images: 40)
        for (name, options) in [("a", "--threads 1"), ("b", "--threads 5"), ("c", "--threads 5")] {
            #expect(try place.run("augment --data data --size 24 --batch 9 --epochs 3 --views 2 \(options) -o \(name)").status == 0)
        }
        let expected = try place.bytes("a")
        #expect(try place.bytes("b") == expected)
        #expect(try place.bytes("c") == expected)
    }

    @Test func `shards one after the other are the epoch`() throws {
        let place = try Workplace(images: 12)
        let whole = try place.stream("--epoch 2").records
        let parts = try (1...3).map { try place.stream("--epoch 2 --shard \($0)/3").records }
        #expect(try parts.flatMap { try $0.indices } == whole.indices)
        #expect(try parts.flatMap { try $0.views } == whole.views)
    }

    @Test func `epochs made one by one are those made at once`() throws {
        let place = try Workplace(images: 12)
        let both = try place.stream("--epoch 0 --epochs 2 --batch 12").records
        #expect(try place.stream("--epoch 1 --batch 12").records[0] == both[1])
    }

    @Test func `a tar, a compressed tar and the folder give the same records`() throws {
        let place = try Workplace(images: 12)
        let folder = try place.stream("").records
        #expect(try place.run("tar cf data.tar data && tar czf data.tgz -C data . && mkdir shards && tar cf shards/0.tar data").status == 0)
        for data in ["data.tar", "data.tgz", "shards"] { #expect(try place.stream("--data \(data)").records == folder, "\(data)") }
    }

    @Test func `the last batch is left out if asked, and a limit takes fewer images`() throws {
        let place = try Workplace(images: 12)
        let (header, records) = try place.stream("--batch 5 --drop-last")
        #expect(records.count == 2 && header.metadata["images"] == "10" && header.metadata["records"] == "2")
        let limited = try place.stream("--limit 6 --recipe evaluation")
        #expect(try limited.records.indices == [0, 2, 4, 6, 8, 10])
        #expect(limited.header.metadata["samples"] == "6")
    }

    @Test func `images without folders have the label -1`() throws {
        let place = try Workplace(images: 3)
        try place.run("mkdir flat; mv data/*/*.jpg flat")
        let (header, records) = try place.stream("--data flat")
        #expect(try records.labels == [-1, -1, -1])
        #expect(header.metadata["classes"] == "[]")
    }

    @Test func `a split is read if it is named, the training part else, and the closing line tells`() throws {
        let place = try Workplace(images: 12)
        try place.run("mkdir set; cp -r data set/train; cp -r data set/val; rm set/val/ant/*; mkdir set/.git; : > set/.git/x; : > set/stray.jpg")
        let result = try place.run("augment --data set --size 16 -o train")
        #expect(result.status == 0 && result.error.hasSuffix(
            "3 classes; split train of train, val; skipped: 1 hidden (.git), 1 empty folder (val/ant), 1 image beside the splits (stray.jpg)\n"), "\(result.error)")
        let train = try place.read("train")
        #expect(train.header.metadata["samples"] == "12" && train.header.metadata["classes"] == #"["ant","bee","cat"]"#)
        #expect(try place.run("augment --data set --split val --size 16 -o val").status == 0)
        #expect(try place.read("val").header.metadata["classes"] == #"["bee","cat"]"#)
        let missing = try place.run("augment --data set --split test --size 16 -o test")
        #expect(missing.status == 64 && missing.error.hasPrefix("augment: set: has no split 'test', only train, val; name one of these with --split"), "\(missing.error)")
    }

    @Test func `a class that stands alone is one when a list names it`() throws {
        let place = try Workplace(images: 3)
        try place.run("mkdir -p one/animals; cp -r data/ant one/animals; printf 'animals\nplants\n' > classes.txt")
        #expect(try place.stream("--data one").header.metadata["classes"] == #"["ant"]"#)
        #expect(try place.stream("--data one --class-list classes.txt").header.metadata["classes"] == #"["animals"]"#)
        #expect(try place.run("augment --data one --class-list none -o out").status == 66)
    }

    @Test func `a report has what was read, what was broken and why, and what was passed over`() throws {
        let place = try Workplace(images: 12)
        try place.write("text", to: place.name(5))
        try place.write(try place.bytes(place.name(7)).dropLast(60), to: place.name(7))
        try place.run("mkdir data/.git; : > data/notes.txt; : > data/more.txt")
        #expect(try place.run("augment --data data --size 16 --batch 5 --epochs 2 --allow-bad --report report.json -o out").status == 0)
        let report = try JSON(parsing: [UInt8](place.bytes("report.json")))
        #expect(report["images"]?.asInteger == 12 && report["classes"]?.asInteger == 3 && report["unlabelled"]?.asInteger == 0)
        #expect(report["broken"]?["count"]?.asInteger == 2)
        let reasons = Dictionary(uniqueKeysWithValues: (report["broken"]?["images"]?.asArray ?? []).map { ($0["image"]?.asString ?? "", $0["reason"]?.asString ?? "") })
        #expect(reasons == [
            place.name(5): "is not a JPEG image: it does not begin with FF D8", place.name(7): "cannot be decoded: it ends before its last pixel",
        ])
        #expect(report["passed_over"]?.asArray?.map { "\($0["kind"]?.asString ?? "") \($0["count"]?.asInteger ?? 0) \($0["first"]?.asString ?? "")" } == ["hidden 1 .git", "other 2 more.txt"])
        // With --drop-last, one epoch reads fewer images: only those of full batches.
        #expect(try place.run("augment --data data --size 16 --batch 5 --drop-last --allow-bad --report report.json -o out").status == 0)
        #expect(try JSON(parsing: [UInt8](place.bytes("report.json")))["images"]?.asInteger == 10)
        #expect(try place.run("augment --data data --size 16 --allow-bad --report no/report.json -o other").status == 73 && !place.exists("other"))
    }
}

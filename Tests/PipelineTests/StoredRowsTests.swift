import Foundation
import TensorStreams
import TestSupport
import Testing

/// `embed --rows` and `embed --stored`: a teacher's rows, stored without their images and joined to them again.
struct StoredRowsTests {
    private static let augment = "augment --data pictures/train --size 16 --batch 16 --drop-last -q"

    private func place() throws -> Workplace {
        let place = try Workplace.images()
        try #require(try place.run("initialize --network tiny-resnet10 --seed 3 --embedding 24 -q -o teacher.safetensors; initialize --network tiny-resnet10 --classes 5 -q -o classifier.safetensors").status == 0)
        return place
    }

    @Test(arguments: [
        ("", "--weights teacher.safetensors"), ("", "--weights teacher.safetensors --features"), ("--steps 6 --batch 32", "--weights classifier.safetensors --logits"), ("--crops '1x16 2x8'", "--weights teacher.safetensors --view 0 --group 1"),
        ("--views 2", "--weights teacher.safetensors --as a --as b"), ("", "--command 'embed --weights teacher.safetensors -q'"),
    ])
    func `rows that were kept, joined to their images, are the teacher's pass to the byte`(views: String, teacher: String) throws {
        let place = try place(), images = "\(views.contains("crops") ? Self.augment.replacing("--size 16 ", with: "") : views.contains("steps") ? Self.augment.replacing("--batch 16 --drop-last ", with: "") : Self.augment) \(views)"
        let result = try place.run("""
            \(images) --epoch 1 -o images.tensors.zst
            embed \(teacher) -q images.tensors.zst -o whole.tensors.zst
            embed \(teacher) -q --rows < images.tensors.zst -o rows.tensors.zst
            embed --stored rows.tensors.zst -q < images.tensors.zst -o joined.tensors.zst && cmp whole.tensors.zst joined.tensors.zst
            """)
        #expect(result.status == 0, "\(result.error)")
        let (header, records) = try place.read("rows.tensors.zst")
        #expect(header.metadata["rows"] == "f32" && records.count == 6 && records.allSatisfy { $0.tensors["images"] == nil && $0.tensors["label"] == nil && $0.tensors["views"]?.shape == $0.tensors["index"]?.shape })
        // In half precision, which a loss accepts: within half of the last of eleven bits.
        try place.perform("embed \(teacher) -q --rows --half images.tensors.zst -o half.tensors.zst; embed --stored half.tensors.zst -q images.tensors.zst -o near.tensors.zst")
        let (whole, near) = (try place.read("whole.tensors.zst"), try place.read("near.tensors.zst"))
        #expect(near.header.provenance.lines.last?.contains("--half") == true && near.header.metadata == whole.header.metadata)
        for (a, b) in zip(whole.records, near.records) {
            #expect(a.names == b.names)
            for name in a.names where a.tensors[name] != b.tensors[name] {
                let (a, b) = (try #require(a.tensors[name]), try #require(b.tensors[name]))
                #expect(a.dtype == .f32 && b.dtype == .f32 && a.shape == b.shape)
                for (x, y) in zip(try a.floats(), try b.floats()) { #expect(abs(x - y) <= max(abs(x) * 0x1p-11, 0x1p-25)) }
            }
        }
    }

    @Test func `rows of several teachers are kept together`() throws {
        let place = try place()
        let result = try place.run("""
            initialize --network tiny-resnet18 --seed 5 --embedding 40 -q -o other.safetensors
            \(Self.augment) --epoch 1 -o images.tensors.zst
            embed --weights teacher.safetensors --as teacher.a -q images.tensors.zst -o one.tensors.zst
            embed --weights other.safetensors --as teacher.b -q one.tensors.zst -o whole.tensors.zst
            embed --weights other.safetensors --as teacher.b -q one.tensors.zst --rows --keep teacher.a -o rows.tensors.zst
            embed --stored rows.tensors.zst -q < images.tensors.zst -o joined.tensors.zst && cmp whole.tensors.zst joined.tensors.zst
            """)
        #expect(result.status == 0, "\(result.error)")
        #expect(try place.read("rows.tensors.zst").records.allSatisfy { $0.names == ["index", "teacher.a", "teacher.b", "views"] })
        for (options, status, words) in [
            ("--rows --keep teacher.c", 65, "one.tensors.zst: record 0: has no tensor 'teacher.c'"), ("--rows --keep images", 65, "record 0: "), ("--keep teacher.a", 64, "--keep goes with --rows"),
            ("--rows --keep teacher.a --keep teacher.a", 64, "--keep teacher.a is given twice"),
        ] {
            let result = try place.run("embed --weights other.safetensors --as teacher.b \(options) -q one.tensors.zst -o out.tensors.zst")
            #expect(result.status == status && result.error.contains(words) && !place.exists("out.tensors.zst"), "\(options): \(result.error)")
        }
    }

    @Test func `rows of other images or views are refused, and so are too few, too many and none`() throws {
        let place = try place(), images = Self.augment
        try place.perform("\(images) --epoch 1 | embed --weights teacher.safetensors -q --rows -o rows.tensors.zst; \(images) --epoch 1 --epochs 2 | embed --weights teacher.safetensors -q --rows -o two.tensors.zst")
        try place.perform("head -c 3000 rows.tensors.zst > cut.tensors.zst; \(images) | embed --weights teacher.safetensors -q -o plain.tensors.zst")
        for (stream, rows, words) in [
            ("--epoch 2", "rows", "record 0: has row "), ("--epoch 1 --seed 1", "rows", "record 0: has row "), ("--epoch 1 --set crop.scale=0.9,1", "rows", "record 0: has other views of image "),
            ("--epoch 1 --batch 32", "rows", "record 0: has rows of 16 images where standard input has 32"), ("--epoch 1 --epochs 2", "rows", "ends before standard input does"),
            ("--epoch 1", "two", "record 6: has images that standard input does not have"), ("--epoch 1", "plain", "is not a file of stored rows"), ("--epoch 1", "cut", "cut.tensors.zst"),
            ("--epoch 1 --fold 1/2 --batch 16", "rows", "record 0: "),
        ] {
            let result = try place.run("\(images) \(stream) | embed --stored \(rows).tensors.zst -o out.tensors.zst")
            #expect(result.status == 65 && result.lines.count == 1 && result.error.contains("\(rows).tensors.zst: ") && result.error.contains(words), "\(stream): \(result.error)")
            #expect(!place.exists("out.tensors.zst") && !place.hasUnfinished)
        }
        for (options, words) in [
            ("--stored rows.tensors.zst --weights teacher.safetensors", "--weights makes rows"), ("--stored rows.tensors.zst --command cat", "--command makes rows"),
            ("--stored rows.tensors.zst --rows", "--rows makes rows"), ("--weights teacher.safetensors --half", "--half goes with --rows"),
            ("--weights teacher.safetensors --rows --drop images", "leave out --drop"), ("", "--stored rows that exist already"),
        ] {
            let result = try place.run("embed \(options) plain.tensors.zst -o out.tensors.zst")
            #expect(result.status == 64 && result.error.contains(words), "\(options): \(result.error)")
        }
        #expect(try place.run("embed --stored nowhere plain.tensors.zst -o out.tensors.zst").status == 66)
    }

    @Test func `rows of each image as a whole are joined to any views of it, and of other data they are refused`() throws {
        let place = try place(), images = Self.augment
        try place.perform("""
            augment --data pictures/train --size 16 --recipe evaluation -q | embed --weights teacher.safetensors --features -q -o whole.tensors.zst
            embed --weights teacher.safetensors --features --rows -q whole.tensors.zst -o none.tensors.zst || true
            augment --data pictures/train --size 16 --recipe evaluation -q | embed --weights teacher.safetensors --features --rows -q -o rows.tensors.zst
            \(images) --views 2 --epoch 1 --epochs 2 | embed --stored rows.tensors.zst --by-image -q -o joined.tensors.zst
            """)
        var features: [Int: [Float]] = [:]
        for record in try place.read("whole.tensors.zst").records {
            let rows = try #require(record.tensors["features"]), values = try rows.floats(), d = rows.shape[1]
            for (n, index) in try #require(record.tensors["index"]).integers().enumerated() { features[index] = Array(values[n * d..<(n + 1) * d]) }
        }
        let joined = try place.read("joined.tensors.zst")
        #expect(joined.records.count == 12 && joined.header.metadata["dimension"] != nil && features.count > 90)
        for record in joined.records {
            let numbers = try #require(record.tensors["index"]).integers()
            #expect(try record.tensors["features"]?.floats() == numbers.flatMap { features[$0] ?? [] } && record.tensors["images"]?.shape[1] == 2)
        }
        try place.perform("augment --data pictures/train --size 16 --recipe evaluation --limit 20 -q | embed --weights teacher.safetensors --features --rows -q -o few.tensors.zst")
        try place.perform("\(images) --epochs 2 | embed --weights teacher.safetensors --features --rows -q -o twice.tensors.zst")
        for (rows, words) in [("few", "few.tensors.zst: has no row of image "), ("twice", "twice.tensors.zst: record 6: has image "), ("whole", "is not a file of stored rows")] {
            let result = try place.run("\(images) | embed --stored \(rows).tensors.zst --by-image -o out.tensors.zst")
            #expect(result.status == 65 && result.lines.count == 1 && result.error.contains(words) && !place.exists("out.tensors.zst"), "\(rows): \(result.error)")
        }
        try place.perform("cp -r pictures/train others; first=$(find -L others -type f | sort | sed -n 1p); mv $first $(dirname $first)/zz.jpg")
        let others = try place.run("\(images.replacing("--data pictures/train", with: "--data others")) | embed --stored rows.tensors.zst --by-image -o out.tensors.zst")
        #expect(others.status == 65 && others.error.contains("rows.tensors.zst: is of other data than standard input") && !place.exists("out.tensors.zst"), "\(others.error)")
        #expect(try place.run("embed --weights teacher.safetensors --by-image whole.tensors.zst -o out.tensors.zst").status == 64)
    }

    @Test func `views come again after as many epochs as --repeat says, and records tell their own epoch`() throws {
        let place = try place()
        try place.perform("\(Self.augment) --epoch 5 --repeat 3 -o again.tensors.zst; \(Self.augment) --epoch 2 -o first.tensors.zst; \(Self.augment) --epoch 2 --epochs 2 --repeat 3 -o over.tensors.zst; \(Self.augment) --epoch 0 -o zero.tensors.zst")
        let (again, first, over, zero) = (try place.read("again.tensors.zst"), try place.read("first.tensors.zst"), try place.read("over.tensors.zst"), try place.read("zero.tensors.zst"))
        #expect(again.header.metadata["epoch"] == "5" && again.records.allSatisfy { $0.metadata["epoch"] == "5" } && again.records.map(\.tensors) == first.records.map(\.tensors))
        #expect(over.records.map(\.tensors) == (first.records + zero.records).map(\.tensors) && over.records.map { $0.metadata["epoch"] } == (0..<12).map { $0 < 6 ? "2" : "3" })
        #expect(try place.run("\(Self.augment) --repeat 0 -o x").status == 64)
        // The same for epochs that are parts of passes.
        let parts = Self.augment.replacing("--drop-last ", with: "--steps 4 ")
        try place.perform("\(parts) --epoch 7 --repeat 3 -o again.tensors.zst; \(parts) --epoch 1 -o first.tensors.zst")
        let (later, part) = (try place.read("again.tensors.zst"), try place.read("first.tensors.zst"))
        #expect(later.records.map(\.tensors) == part.records.map(\.tensors) && later.records.allSatisfy { $0.metadata["epoch"] == "7" })
    }
}

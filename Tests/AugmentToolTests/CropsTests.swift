import Foundation
import Images
import TensorStreams
import TestSupport
import Testing

struct CropsTests {
    private func run(_ place: Workplace, _ options: String, _ output: String = "out") throws -> (header: StreamHeader, records: [TensorDocument]) {
        let result = try place.run("augment --data data -q -o \(output) \(options)")
        try #require(result.status == 0, "\(options): \(result.error)")
        return try place.read(output)
    }

    @Test func `each group of crops is a tensor, and the header says which`() throws {
        let place = try Workplace(images: 12)
        let (header, records) = try run(place, "--crops '2x16@0.14-1 3x8@0.05-0.14:swav-small 1x12' --recipe swav --batch 5")
        #expect(records.map { $0.tensors["images"]?.shape } == [5, 5, 2].map { [$0, 2, 16, 16, 3] })
        #expect(records.map { $0.tensors["images.1"]?.shape } == [5, 5, 2].map { [$0, 3, 8, 8, 3] })
        #expect(records.map { $0.tensors["images.2"]?.shape } == [5, 5, 2].map { [$0, 1, 12, 12, 3] })
        #expect(header.metadata["crops"] == "2x16@0.14-1 3x8@0.05-0.14:swav-small 1x12" && header.metadata["recipe"] == "swav" && header.metadata["recipes"] == nil)
        #expect(header.metadata["images"] == "12")
    }

    @Test func `views of further groups are those that the recipe makes of the same image`() throws {
        let place = try Workplace(images: 6)
        let records = try run(place, "--crops '1x16 2x8' --recipe dino --seed 3 --epoch 2").records
        let names = (0..<6).map(place.name).sorted(), renderer = try ViewRenderer()
        let small = try #require(records.first).tensor("images.1", .u8, shape: [6, 2, 8, 8, 3]).withBytes { [UInt8]($0) }
        for (row, index) in try records.indices.enumerated() {
            try [UInt8](place.bytes(names[index])).withUnsafeBytes { try renderer.decode($0) }
            for number in 0..<2 {
                let view = Recipe.dino.view(
                    width: renderer.source.width, height: renderer.source.height, size: 8, seed: 3, epoch: 2, item: index, view: number + 1)
                var pixels = [UInt8](repeating: 0, count: 8 * 8 * 3)
                try pixels.withUnsafeMutableBufferPointer { try renderer.render(view, into: $0) }
                #expect(Array(small[(2 * row + number) * 192..<(2 * row + number + 1) * 192]) == pixels)
            }
        }
    }

    @Test func `the first group has the bytes that it has alone, and --views, --size and --crop-scale say the same`() throws {
        let place = try Workplace(images: 12)
        let alone = try run(place, "--views 2 --size 16 --crop-scale 0.3,0.9").records
        let crops = try run(place, "--crops '2x16@0.3-0.9'"), more = try run(place, "--crops '2x16@0.3-0.9 4x8'").records
        #expect(crops.records == alone && crops.header.metadata["crops"] == nil)
        #expect(try more.views == alone.views && more.indices == alone.indices)
    }

    @Test func `a parameter of the second view alone leaves the others as they are`() throws {
        let place = try Workplace(images: 6)
        func views(_ options: String) throws -> [[UInt8]] {
            var found = [[UInt8]](repeating: [], count: 3)
            for record in try run(place, "--views 3 --size 8 \(options)").records {
                let tensor = try #require(record.tensors["images"]), bytes = tensor.withBytes { [UInt8]($0) }
                for (number, start) in stride(from: 0, to: bytes.count, by: 192).enumerated() { found[number % 3] += bytes[start..<start + 192] }
            }
            return found
        }
        let plain = try views(""), second = try views("--set 2.crop.scale=0.01,0.02")
        #expect(plain[0] == second[0] && plain[2] == second[2] && plain[1] != second[1])
    }

    @Test func `threads change nothing, and a broken image is missing in all groups`() throws {
        let place = try Workplace(images: 20)
        for (name, threads) in [("a", 1), ("b", 5)] { _ = try run(place, "--crops '1x16 2x8' --batch 7 --threads \(threads)", name) }
        #expect(try place.bytes("a") == place.bytes("b"))
        let whole = try place.read("a").records
        let names = (0..<20).map(place.name).sorted()
        try place.write("text", to: names[7])
        let records = try run(place, "--crops '1x16 2x8' --batch 7 --allow-bad").records
        for (found, expected) in zip(records, whole) {
            let kept = try [expected].indices.enumerated().filter { $0.element != 7 }.map(\.offset)
            #expect(found.tensors["images.1"]?.shape == [kept.count, 2, 8, 8, 3])
            let small = try expected.tensor("images.1", .u8, shape: [nil, 2, 8, 8, 3]).withBytes { [UInt8]($0) }
            #expect(found.tensors["images.1"]?.withBytes { [UInt8]($0) } == kept.flatMap { small[384 * $0..<384 * ($0 + 1)] })
        }
    }

    @Test func `crops that do not go together end with 64 and say why`() throws {
        let place = try Workplace(images: 1)
        for (options, words) in [
            ("--crops '2x16' --views 2", "--views is for one group"), ("--crops '2x16' --size 8", "--size is for one group"), ("--crops '2x16' --crop-scale 0.1,1", "--crop-scale is for one group"),
            ("--crops ''", "found nothing"), ("--crops '2x16@1-0.5'", "the smaller first"), ("--crops '2x16:mine'", "there is no recipe 'mine'"),
            ("--crops '2x16:swav-smal'", "did you mean swav-small?"), ("--crops '64x4096 '", "smaller --batch"), ("--crops '60x8 5x8'", "1 to 64 views in all"),
            ("--recipe moco-v3", "did you mean moco-v1?"), ("--set blur=1", "has no parameter 'blur'"), ("--set blur.sigma", "--set takes PARAMETER=VALUE"),
            ("--set blur.sigma=3", "--set blur.sigma=3: blur.sigma takes two numbers from 0 to 64"), ("--recipe evaluation --set blur.sigma=1,2", "evaluation has no parameter 'blur.sigma'; it has filter, crop.resize, crop.of"),
            ("--preview -", "--preview takes a file"), ("--preview sheet.jpg", "leave out -o"), ("--show-recipe swav", "leave out --data"),
        ] {
            let result = try place.run("augment --data data \(options) -o out")
            #expect(result.status == 64 && result.lines.count == 1 && result.error.contains(words), "\(options): \(result.status) \(result.error)")
        }
        #expect(try place.run("augment -o out").status == 64 && !place.exists("out") && !place.hasUnfinished)
    }
}

struct RecipeFileTests {
    @Test func `every recipe is printed as a file that gives the same stream and is printed as it is`() throws {
        let place = try Workplace(images: 4)
        for recipe in Recipe.all {
            let shown = try place.run("augment --show-recipe \(recipe.name) > mine.json; augment --show-recipe ./mine.json | cmp - mine.json")
            #expect(shown.status == 0 && shown.error.isEmpty, "\(recipe.name): \(shown.error)")
            #expect(try place.run("""
                augment --data data --size 12 --views 3 -q --recipe \(recipe.name) -o named; augment --data data --size 12 --views 3 -q --recipe mine.json -o read
                """).status == 0)
            let (named, read) = (try place.read("named"), try place.read("read"))
            #expect(named.records == read.records && read.header.metadata["recipe"] == recipe.name && read.header.metadata["recipes"] == nil, "\(recipe.name)")
        }
    }

    @Test func `what is left out has its usual value, and a recipe of one's own stands in the header`() throws {
        let place = try Workplace(images: 4)
        try place.write(#"{"views": [{"crop": {"kind": "random-resized", "scale": [0.2, 1]}, "steps": [{"kind": "jitter"}, {"kind": "grey"}, {"kind": "blur"}, {"kind": "flip"}]}]}"#, to: "mine.json")
        #expect(try place.run("augment --data data --size 12 -q -o named; augment --data data --size 12 -q --recipe mine.json -o read").status == 0)
        let (named, read) = (try place.read("named"), try place.read("read"))
        #expect(named.records == read.records && read.header.metadata["recipe"] == "mine")
        #expect(read.header.metadata["recipes"]?.hasPrefix(#"[{"name":"mine","filter":"bilinear","views":[{"crop":{"kind":"random-resized","scale":[0.2,1],"#) == true)
        #expect(try place.run("augment --show-recipe moco-v2 --set blur.probability=0.2 --set crop.scale=0.1,0.5 > other.json; augment --data data --size 12 -q --recipe other.json -o a").status == 0)
        #expect(try place.run("augment --data data --size 12 -q --set blur.probability=0.2 --crop-scale 0.1,0.5 -o b; augment --data data -q --crops 1x12@0.1-0.5:other.json -o c").status == 0)
        #expect(try place.read("a").records == place.read("b").records && place.read("a").records == place.read("c").records)
        #expect(try place.read("a").records != named.records && place.read("b").header.metadata["recipes"] != nil)
    }

    @Test(arguments: [
        ("", "byte 0: ends where a value is expected"), ("[]", "is not an object, as a recipe must be"), ("{", "byte 1: ends where a key"), (#"{"views": []}"#, "'views' is empty"), (#"{"name": 3}"#, "'name' is not a string"), (#"{"steps": []}"#, "a recipe has no 'steps'; it has name, filter, views"),
        (#"{"name": "a\u0007", "views": [{"crop": {"kind": "centre"}}]}"#, "printable"), (#"{"filter": "lanczos", "views": [1]}"#, "there is no filter 'lanczos'; take bilinear or bicubic"),
        (#"{"views": [1]}"#, "view 1: is not an object"), (#"{"views": [{}]}"#, "view 1: has no 'crop'; give it one of kind random-resized, clipped, centre"), (#"{"views": {}}"#, "is not a list"),
        (#"{"views": [{"crop": {"kind": "flip"}}]}"#, "view 1, crop: there is no kind of crop 'flip'"), (#"{"views": [{"crop": {}}]}"#, "view 1, crop: has no 'kind'"),
        (#"{"views": [{"crop": {"kind": "centre"}, "steps": [{"kind": "flip"}, {"kind": "centre"}]}]}"#, "view 1, step 2: there is no kind of step 'centre'"),
        (#"{"views": [{"crop": {"kind": "centre"}, "steps": [{"kind": "blur", "sigma": [2, 1]}]}]}"#, "view 1, step 1: blur.sigma takes two numbers from 0 to 64, the smaller first, found 2,1"),
        (#"{"views": [{"crop": {"kind": "centre"}, "steps": [{"kind": "blur", "sigma": "2"}]}]}"#, "'sigma' is neither a number nor a list of numbers"),
        (#"{"views": [{"crop": {"kind": "centre"}, "steps": [{"kind": "blur", "sigma": [1, "2"]}]}]}"#, "'sigma' is neither"),
        (#"{"views": [{"crop": {"kind": "centre"}, "steps": [{"kind": "blur", "size": 2}]}]}"#, "blur has no 'size'; it has probability, sigma"),
        (#"{"views": [{"crop": {"kind": "centre"}, "steps": [{"kind": "posterise", "bits": 2.5}]}]}"#, "a whole number from 1 to 8, found 2.5"),
        (#"{"views": [{"crop": {"kind": "centre"}, "steps": [{"kind": "blur", "probability": 1e400}]}]}"#, "a number too large"),
    ])
    func `a file that is no recipe ends with 65 and says where it is wrong`(_ text: String, _ words: String) throws {
        let place = try Workplace(images: 1)
        try place.write(text, to: "mine.json")
        let result = try place.run("augment --data data --recipe mine.json -o out")
        #expect(result.status == 65 && result.lines.count == 1 && result.error.hasPrefix("augment: mine.json: ") && result.error.contains(words), "\(result.status) \(result.error)")
        #expect(!place.exists("out"))
    }

    @Test func `a file that is not there ends with 66, and one that is too large with 65`() throws {
        let place = try Workplace(images: 1)
        #expect(try place.run("augment --data data --recipe none.json -o out").status == 66)
        #expect(try place.run("head -c 2000000 /dev/zero > large.json; augment --data data --recipe large.json -o out").status == 65)
    }

    @Test func `a preview has a row for each image and a column for each view, as JPEG and as PNG`() throws {
        let place = try Workplace(images: 12)
        #expect(try place.run("augment --data data --crops '2x120 1x32' --recipe byol --limit 3 --preview sheet.jpg -q && augment --data data --crops '2x120 1x32' --recipe byol --limit 3 --preview sheet.png -q").status == 0)
        let sheet = try JPEG.decode([UInt8](place.bytes("sheet.jpg")))
        #expect(sheet.width == 4 + 124 + 124 + 106 && sheet.height > 4 + 3 * 150)
        let png = try place.run("""
            python3 -c 'import struct, zlib; b = open("sheet.png", "rb").read(); assert b[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
            at, data = 8, b""
            while at < len(b):
                n, kind = struct.unpack(">I4s", b[at:at + 8]); body = b[at + 8:at + 8 + n]
                assert struct.unpack(">I", b[at + 8 + n:at + 12 + n])[0] == zlib.crc32(kind + body)
                if kind == b"IHDR": w, h = struct.unpack(">II", body[:8])
                if kind == b"IDAT": data += body
                at += 12 + n
            assert len(zlib.decompress(data)) == h * (1 + 3 * w); print(w, h)'
            """)
        #expect(png.output == "\(sheet.width) \(sheet.height)\n", "\(png.output)\(png.error)")
        let large = try place.run("augment --data data --crops 64x2000 --batch 1 --preview large.jpg")
        #expect(large.status == 64 && large.error.contains("is too large; show fewer images") && !place.exists("large.jpg"), "\(large.error)")
        #expect(try place.run("augment --data data --preview no/sheet.jpg").status == 73)
        for number in 0..<12 { try place.write("text", to: place.name(number)) }
        #expect(try place.run("augment --data data --preview none.jpg").status == 65 && !place.exists("none.jpg"))
    }
}

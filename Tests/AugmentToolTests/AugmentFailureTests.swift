import Foundation
import Images
import TensorStreams
import TestSupport
import Testing

struct AugmentFailureTests {
    @Test func `a broken image among good ones is left out, named and counted`() throws {
        let place = try Workplace(images: 200)
        let whole = try place.stream("--batch 16 --threads 1").records
        let names = (0..<200).map(place.name).sorted()
        try place.write(try place.bytes(names[7]).dropLast(60), to: names[7])
        try place.write("text", to: names[150])
        var streams: [Data] = []
        for threads in [1, 4] {
            let result = try place.run("augment --data data --size 16 --batch 16 --epochs 2 --threads \(threads) -o out")
            #expect(result.status == 0)
            let lines = result.error.split(separator: "\n")
            #expect(lines.count { $0.contains("left out") && $0.contains(names[7]) } == 1)
            #expect(lines.contains { $0 == "augment: \(names[150]): is not a JPEG image: it does not begin with FF D8; left out" })
            #expect(lines.last?.hasSuffix("3 classes; 2 broken, left out") == true)
            streams.append(try place.bytes("out"))
        }
        #expect(streams[0] == streams[1])
        // The other images are in the same batches as without the broken ones.
        let records = try Array(place.read("out").records[..<13])
        for (found, expected) in zip(records, whole) {
            #expect(try [found].indices == [expected].indices.filter { $0 != 7 && $0 != 150 })
        }
        let kept = Set(try whole.views).subtracting(try records.views)
        #expect(kept.count == 2)
    }

    @Test func `more than one image in a hundred broken is an error, unless that is allowed`() throws {
        let place = try Workplace(images: 100)
        let names = (0..<100).map(place.name).sorted()
        try place.write(Data(), to: names[3])
        #expect(try place.run("augment --data data --size 16 -o out").status == 0)
        try place.run("rm out")
        try place.write(Data(), to: names[4])
        let result = try place.run("augment --data data --size 16 -o out")
        #expect(result.status == 65)
        #expect(result.error.contains("2 images are broken, more than 1 % of them") && result.error.contains("--allow-bad"))
        #expect(!place.exists("out") && !place.exists("out.part"))
        #expect(try place.stream("--allow-bad").records.indices.count == 98)
    }

    @Test func `a batch of which nothing is left is no record`() throws {
        let place = try Workplace(images: 6)
        let names = (0..<6).map(place.name).sorted()
        for name in names[2..<4] { try place.write(Data(), to: name) }
        let records = try place.stream("--recipe evaluation --batch 2 --allow-bad").records
        #expect(records.map { $0.metadata["step"] } == ["0", "2"])
    }

    @Test func `wrong command lines end with 64 and say why`() throws {
        let place = try Workplace(images: 1)
        for (options, words) in [
            ("", "--data"), ("--data data --views 65", "--views takes 1 to 64, found 65"), ("--data data --size 0", "--size"), ("--data data --batch 0", "--batch"),
            ("--data data --shard 3/2", "3/2"), ("--data data --crop-scale 1,0.5", "crop-scale"), ("--data data --crop-scale 0,1", "crop-scale"),
            ("--data data --recipe nothing", "nothing"), ("--data data --size 4096 --batch 1000", "smaller --batch"), ("--data data --threads 0", "--threads"),
            ("--data data --split ''", "--split is empty"), ("--data data --split val", "has no split 'val'"), ("--data data --report -", "--report"),
            ("--data data --report out", "-o and --report are the same file, 'out'"), ("--data ''", "--data is empty"), ("--data data --epoch -1", "--epoch"), ("--data data --limit 0", "--limit"), ("--data data --nonsense", "nonsense"),
        ] {
            let result = try place.run("augment \(options) -o out")
            #expect(result.status == 64 && result.error.contains(words), "\(options): \(result.status) \(result.error)")
        }
        #expect(!place.exists("out") && !place.exists("out.part"))
    }

    @Test func `a stream that would be empty is not made`() throws {
        let place = try Workplace(images: 3)
        for (options, words) in [
            ("--batch 4 --drop-last", "3 images do not fill a batch of 4; use a smaller --batch, or leave out --drop-last"),
            ("--fold 4/5", "there are no images in fold 4/5 of 3"),
        ] {
            let result = try place.run("augment --data data --size 16 \(options) -o out")
            #expect(result.status == 64 && result.error.contains(words), "\(result.error)")
        }
        #expect(!place.exists("out"))
        // With more shards than batches, some shards are empty but valid.
        #expect(try place.run("augment --data data --size 16 --shard 1/5 -o out").status == 0 && place.read("out").records.isEmpty)
    }

    @Test func `missing data is 66; empty, truncated and damaged data is 65; and nothing is written`() throws {
        let place = try Workplace(images: 12)
        try place.run("""
            mkdir empty; tar cf data.tar data; head -c 9000 data.tar > cut.tar; tar cz data | head -c 2000 > cut.tgz; : > none.tar; echo x > text.tar
            cp "$(find data -name '*.jpg' | head -1)" jpeg.zip; printf 'PK\\003\\004cut' > cut.zip; printf '\\010\\0\\0\\0\\0\\0\\0\\0{}      ' > weights.tar
            """)
        for (data, status, words) in [
            ("nowhere", 66, "No such file"), ("empty", 65, "has no JPEG images"), ("cut.tar", 65, "augment: cut.tar: "), ("cut.tgz", 65, "cut.tgz: "),
            ("none.tar", 65, "none.tar: is empty"), ("text.tar", 65, "cannot be opened as a tar or zip archive"),
            ("jpeg.zip", 65, "jpeg.zip: is a JPEG image, not a tar or zip archive"), ("cut.zip", 65, "cut.zip: is a zip archive whose list of members is not in its last 16 KiB"),
            ("weights.tar", 65, "weights.tar: is a safetensors file, not a tar or zip archive"),
        ] {
            let result = try place.run("augment --data \(data) --size 16 -o out")
            #expect(result.status == Int32(status) && result.error.contains(words), "\(data): \(result.status) \(result.error)")
            #expect(result.error.split(separator: "\n").count == 1)
        }
        #expect(!place.exists("out") && !place.exists("out.part"))
    }

    @Test func `a full disk is 74, a place that cannot be written 73, and a closed pipe ends it quietly`() throws {
        let place = try Workplace(images: 30)
        let full = try place.run("augment --data data --size 64 -o /dev/full")
        #expect(full.status == 74 && full.error.contains("No space left on device"))
        #expect(try place.run("augment --data data -o nowhere/out").status == 73)
        let closed = try place.run("(augment --data data --size 200 --batch 2 --epochs 20; echo $? > status) | head -c 10")
        #expect(closed.error == "")
        #expect(String(decoding: try place.bytes("status"), as: UTF8.self) == "141\n")
    }

    @Test func `a grey, a CMYK and a one-pixel image are images like others`() throws {
        let place = try Workplace(images: 2)
        let golden = try DocumentFile.read(URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../golden/images.safetensors.zst").path)
        for name in ["grey", "cmyk", "1x1", "1x9", "17x1"] {
            let file = try #require(golden.tensors["jpeg.\(name).file"])
            try place.write(file.withBytes { Data($0) }, to: "data/odd/\(name).jpg")
        }
        for recipe in ["evaluation", "moco-v2 --views 2"] {
            let records = try place.stream("--recipe \(recipe)").records
            #expect(try records.views.count == 7)
        }
        // A single pixel makes a view of one colour.
        let views = try place.stream("--recipe evaluation").records.views
        #expect(Set(stride(from: 0, to: views[3].count, by: 3).map { Array(views[3][$0..<$0 + 3]) }).count == 1)
    }

    /// A header that promises 9999×9999 pixels before an image's own scan: libjpeg detects this too late, when memory
    /// is already allocated.
    private func large(_ image: Data) throws -> Data {
        var bytes = image
        let frame = try #require(bytes.indices.dropLast(9).first { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xC0 })
        bytes.replaceSubrange(frame + 5..<frame + 9, with: [0x27, 0x0F, 0x27, 0x0F])
        return bytes
    }

    @Test(arguments: [110_000, 150_000, 250_000, 450_000])
    func `with little memory for a large image it ends with 74, one line and no unfinished file`(kilobytes: Int) throws {
        let place = try Workplace(images: 3)
        try place.write(try large(place.bytes(place.name(0))), to: place.name(0))
        let result = try place.run("ulimit -v \(kilobytes); augment --data data --size 16 --threads 2 -o out")
        #expect(result.status == 74 && result.lines.count == 1 && result.error.contains("no memory"), "\(result.status) \(result.error)")
        #expect(!place.exists("out") && !place.hasUnfinished)
    }

    /// A compressed archive of a few kilobytes that holds `count` members of `megabytes` MiB each.
    private func bomb(_ place: Workplace, _ name: String, count: Int, megabytes: Int, start: String) throws {
        try place.write("""
            import sys, tarfile, zipfile, os
            name, count, size, start = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) << 20, bytes.fromhex(sys.argv[4])
            if name.endswith(".zip"):
                archive = zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED)
                for number in range(count): archive.writestr(f"cat/{number}.jpg", start + bytes(size))
                archive.close()
            else:
                pipe = os.popen({"zst": "zstd -q --long=27", "xz": "xz -1 --lzma2=dict=512MiB,mode=fast", "gz": "gzip -1"}[name.split(".")[-1]] + " > " + name, "w")
                for number in range(count):
                    member = tarfile.TarInfo(f"cat/{number}.jpg")
                    member.size = len(start) + size
                    pipe.buffer.write(member.tobuf() + start + bytes(size) + bytes(-member.size % 512))
                pipe.buffer.write(bytes(10240))
                pipe.close()
            """, to: "bomb.py")
        #expect(try place.run("python3 bomb.py \(name) \(count) \(megabytes) \(start)").status == 0)
    }

    @Test(arguments: ["bomb.zip", "bomb.tar.zst", "bomb.tar.gz", "bomb.tar.xz"])
    func `a small archive that unpacks to gigabytes is refused, and takes less than 300 MB`(name: String) throws {
        let place = try Workplace()
        for start in ["ffd8ffe0", "00"] where name.hasSuffix("zst") || start == "ffd8ffe0" {
            try bomb(place, name, count: 4, megabytes: 256, start: start)
            let result = try place.run("""
                python3 -c 'import os, resource; print(os.spawnlp(os.P_WAIT, "augment", "augment", "--data", "\(name)", "-o", "out")); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)'
                """)
            let numbers = result.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            try #require(numbers.count == 2, "\(result.output)")
            let (status, peak) = (numbers[0], numbers[1])
            #expect(status == 65 && peak < 300_000 && result.lines.count == 1 && (result.error.contains("unpacks to more than") || result.error.contains("needs 512 MiB")), "\(status), \(peak) kB \(result.error)")
            #expect(!place.exists("out") && !place.hasUnfinished)
            let little = try place.run("ulimit -v 100000; augment --data \(name) -o out")
            #expect([65, 74].contains(little.status) && little.lines.count == 1, "\(little.status) \(little.error)")
        }
    }

    @Test func `members of an archive that are no JPEG are not kept, and are broken images`() throws {
        let place = try Workplace(images: 3)
        try bomb(place, "zeros.zip", count: 2, megabytes: 200, start: "00")
        try place.run("zip -qr zeros.zip data")
        let result = try place.run("augment --data zeros.zip --size 16 --allow-bad -o out")
        #expect(result.status == 0 && result.error.contains("zeros.zip: member cat/0.jpg: is not a JPEG image: it does not begin with FF D8; left out"), "\(result.error)")
    }
}

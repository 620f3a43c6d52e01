import Images
import Platform
import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// The tool from outside.
struct InspectTests {
    let folder: Workplace
    let stream: String

    init() throws {
        folder = try Workplace()
        stream = folder.path("a.tensors.zst")
        try writeExampleStream(stream, records: 4)
    }

    /// Runs `inspect` with arguments in shell syntax and returns its status and all output.
    private func inspect(_ arguments: String) throws -> (status: Int32, output: String) {
        let result = try folder.run("inspect \(arguments)")
        return (result.status, result.output + result.error)
    }

    @Test func `a stream is shown with its provenance, records, tensors and counts`() throws {
        let found = try inspect("\(stream) --records 2..2")
        #expect(found.status == 0)
        #expect(found.output == """
            \(stream): tensor stream
            made by  augment 0.1.0 --seed 0
            classes: ["cat","dog"]
            samples: 9
            record 2, epoch 0, step 2
              images   U8   [3, 1, 4, 4, 3]  2 to 255, mean 126.958
              index    I64  [3]              6 to 8, mean 7
              label    I32  [3]              -1 to 1, mean 0
              teacher  F32  [3, 8]           -2 to 0.87500, mean -0.56250
            1 record shown; checksum of the whole not verified

            """)
    }

    @Test(arguments: [("", 0...3), ("--records 1..2", 1...2), ("--records 2..", 2...3), ("--records ..2", 0...2), ("--record 3", 3...3), ("--records 0", 0...0)])
    func `records can be chosen`(options: String, records: ClosedRange<Int>) throws {
        for input in ["\(stream) \(options)", "\(options) < \(stream)", "- \(options) < \(stream)"] {
            let found = try inspect(input), lines = found.output.split(separator: "\n").filter { $0.hasPrefix("record ") }
            #expect(found.status == 0 && lines.map { $0.prefix { $0 != "," } } == records.map { "record \($0)" }, "\(found.output)")
        }
    }

    @Test func `scripts get one JSON object a line`() throws {
        let found = try inspect("\(stream) --json --tensor index")
        let lines = try found.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
        try #require(lines.count == 6)
        #expect(lines[0]["provenance"] == ["augment 0.1.0 --seed 0"])
        #expect(lines[0]["metadata"]?["samples"] == "9")
        let index: JSON = ["dtype": "I64", "shape": [3], "min": 3.0, "max": 5.0, "mean": 4.0, "nan": 0, "infinite": 0]
        #expect(lines[2]["tensors"] == ["index": index])
        #expect(lines[5]["records"] == 4 && lines[5]["whole"] == true)
    }

    @Test func `check says ok with counts, or fails`() throws {
        let size = bytes(of: stream).count
        #expect(try inspect("--check \(stream)").output.hasPrefix("\(stream): ok, 4 records, "))
        for cut in [1, size / 2, size - 1] {
            write(Array(bytes(of: stream)[..<cut]), to: folder.path("cut"))
            let found = try inspect("--check \(folder.path("cut"))")
            #expect(found.status == 65)
            #expect(found.output.hasPrefix("inspect: \(folder.path("cut")): ") && found.output.split(separator: "\n").count == 1)
        }
    }

    @Test func `a checkpoint is shown from a file and from a pipe`() throws {
        let found = try inspect("--tensor bf16 < \(golden("every-type.safetensors.zst"))")
        #expect(found.status == 0)
        #expect(found.output.contains("\n  bf16  BF16  [2, 5]  -3 to 6, mean 1.50000\n16 tensors, 498 bytes, no checksum\n"))
    }

    @Test func `NumPy files hold the tensors' bytes`() throws {
        #expect(try inspect("\(golden("every-type.safetensors")) --to-npy \(folder.path("npy"))").status == 0)
        let array = bytes(of: folder.path("npy/f16.npy"))
        #expect(array.count == 128 + 20)
        #expect(array[..<10] == [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0, 118, 0])
        #expect(String(decoding: array[10..<128], as: UTF8.self).hasPrefix("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 5), }   "))
        #expect(array[127] == 0x0A)
        #expect(array[128..<132] == [0x00, 0xC2, 0x00, 0xC0])
        #expect(bytes(of: folder.path("npy/bf16.npy")).count == 128 + 40)
        #expect(bytes(of: folder.path("npy/scalar.npy")).count == 128 + 4)
        #expect(try inspect("\(stream) --record 2 --tensor index --to-npy \(folder.path("npy"))").status == 0)
        #expect(Array(bytes(of: folder.path("npy/index.000002.npy")).suffix(24)) == [6, 7, 8].flatMap { littleEndian(Int64($0)) })
    }

    @Test func `a tensor's name does not lead out of the folder`() throws {
        try DocumentFile.write(TensorDocument(tensors: ["../../escape": Tensor(u8: [1], shape: [1])]), to: folder.path("evil.safetensors"))
        #expect(try inspect("\(folder.path("evil.safetensors")) --to-npy \(folder.path("x/"))").status == 0)
        #expect(try folder.contents("x") == ["%2E.%2F..%2Fescape.npy"])
    }

    @Test func `the contact sheet has every image at its place, views side by side`() throws {
        // Two views: the left one red, the right one as bright as the image's number.
        let side = 16
        var pixels: [UInt8] = []
        for image in 0..<4 {
            pixels += (0..<side * side).flatMap { _ in [255, 0, 0] as [UInt8] }
            pixels += Array(repeating: UInt8(image * 60), count: side * side * 3)
        }
        let document = TensorDocument(tensors: ["images": Tensor(u8: pixels, shape: [4, 2, side, side, 3])])
        let writer = try StreamWriter(folder.path("views"), header: exampleHeader)
        try writer.write(document)
        try writer.commit()
        #expect(try inspect("\(folder.path("views")) --to-jpeg \(folder.path("sheet.jpeg"))").status == 0)
        let sheet = try JPEG.decode(bytes(of: folder.path("sheet.jpeg")))
        // A column of four: each is 32 + 2 wide, 16 + 2 high; the square root of 4·18/34 is 1.5, rounded to 1 column.
        #expect(sheet.width == 36 && sheet.height == 74)
        for image in 0..<4 {
            let y = 2 + image * 18 + 8
            let red = sheet.pixels[(y * sheet.width + 2 + 8) * 3]
            let grey = sheet.pixels[(y * sheet.width + 2 + 24) * 3]
            #expect(red > 240)
            #expect(abs(Int(grey) - image * 60) < 12)
        }
        #expect(folder.exists("sheet.jpeg") && !folder.hasUnfinished)
    }

    @Test(arguments: [
        ("--record 9", 64, "has 4 records, so there is no record 9"), ("--record 4", 64, "has 4 records, so there is no record 4"),
        ("--records 4..", 64, "has 4 records, so there is no record 4"), ("--records 3..1", 64, "3..1"), ("--check --to-npy x", 64, "--verify checks the whole file"),
        ("--tensor loss", 65, "record 0: has no tensor 'loss'"), ("--to-jpeg x --tensor teacher", 65, "where U8 [any, any, any, any, 3] is expected"),
        ("> /dev/full", 74, "standard output: cannot write: No space left on device"), ("--to-npy /proc/x", 73, "cannot create"),
    ]) func `a mistake ends with its status and one line`(options: String, status: Int32, words: String) throws {
        let found = try inspect("\(stream) \(options)")
        #expect(found.status == status)
        // After a wrong command line the tool prints its usage.
        let lines = found.output.split(separator: "\n").filter { $0.hasPrefix("inspect: ") || $0.hasPrefix("Error: ") }
        #expect(lines.count == 1 && lines.allSatisfy { $0.contains(words) }, "\(found.output)")
    }

    @Test func `nothing, a folder and a missing file have their statuses`() throws {
        #expect(try inspect("< /dev/null").status == 65)
        #expect(try inspect(folder.path(".")).status == 66)
        #expect(try inspect(folder.path("missing")).status == 66)
        #expect(try inspect("--help").status == 0)
    }

    @Test func `a reader that leaves ends it without a word`() throws {
        let found = try folder.run("(sleep 0.3; inspect \(stream); echo $? >&2) | true")
        #expect(found.error == "141\n")
    }
}

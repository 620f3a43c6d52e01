import TensorStreams
import TestSupport
import Testing
import ToolSupport

struct TensorTests {
    @Test func `every half turns into the float that Float16 makes of it, and back`() throws {
        let bits = (0...UInt16.max).map { $0 }
        let floats = try Tensor(bits, .f16, [65536]).floats()
        for (bits, float) in zip(bits, floats) {
            let expected = Float(Float16(bitPattern: bits))
            #expect(float.bitPattern == expected.bitPattern || (float.isNaN && expected.isNaN))
        }
        let back = try Tensor(f32: floats, shape: [65536]).converted(to: .f16)
        back.withElements(as: UInt16.self) { back in
            for (a, b) in zip(bits, back) where !Float16(bitPattern: a).isNaN { #expect(a == b) }
        }
    }

    @Test func `floats are rounded to halves as Float16 rounds them`() throws {
        // Midpoints of adjacent halves and their neighbours, and values beyond the range on both sides.
        var floats: [Float] = [65519.996, 65520, 65536, 1e9, .infinity, 0x1p-25, 0x1.000002p-25, 0x1p-26, 1e-30, -0.0]
        for bits in stride(from: UInt16(0), to: 0x7C00, by: 7) {
            let (a, b) = (Float(Float16(bitPattern: bits)), Float(Float16(bitPattern: bits + 1)))
            floats += [(a + b) / 2, ((a + b) / 2).nextUp, ((a + b) / 2).nextDown]
        }
        floats += floats.map { -$0 }
        let halves = try Tensor(f32: floats, shape: [floats.count]).converted(to: .f16)
        halves.withElements(as: UInt16.self) { halves in
            for (float, half) in zip(floats, halves) { #expect(half == Float16(float).bitPattern, "\(float)") }
        }
        let nan = try Tensor(f32: [.nan], shape: [1]).converted(to: .f16).floats()
        #expect(nan[0].isNaN)
    }

    @Test func `bf16 rounds to the nearest, ties to even`() throws {
        let floats: [Float] = [1, 1.00390625, 1.01171875, 1.004, -1.00390625, .infinity, 3.4e38, .nan, 0]
        let rounded = try Tensor(f32: floats, shape: [9]).converted(to: .bf16).floats()
        #expect(rounded[..<5] == [1, 1, 1.015625, 1.0078125, -1])
        #expect(rounded[5] == .infinity && rounded[6] == .infinity && rounded[7].isNaN && rounded[8] == 0)
    }

    @Test func `numbers of every type are read as floats and integers`() throws {
        #expect(try Tensor([Int8(-1), 2], .i8, [2]).floats() == [-1, 2])
        #expect(try Tensor([UInt64.max], .u64, [1]).floats() == [Float(UInt64.max)])
        #expect(try Tensor(f64: [0.1], shape: [1]).floats() == [0.1])
        #expect(try Tensor([UInt16(65535), 0], .u16, [2]).integers() == [65535, 0])
        #expect(try Tensor(i64: [.min, .max], shape: [2]).integers() == [.min, .max])
        #expect(failure { _ = try Tensor([UInt64.max], .u64, [1]).integers() }?.kind == .data)
        #expect(failure { _ = try Tensor([UInt8(1)], .bool, [1]).floats() }?.kind == .data)
        #expect(failure { _ = try Tensor(f32: [1], shape: [1]).integers() }?.kind == .data)
    }

    @Test func `a tensor of another type or shape is refused with what was found and expected`() throws {
        let record = exampleBatch(0)
        #expect(try record.tensor("teacher", .f32, shape: [nil, 8]).count == 24)
        #expect(failure { _ = try record.tensor("teacher", .f32, shape: [3, 16]) }?.what == "has 'teacher' of F32 [3, 8] where F32 [3, 16] is expected")
        #expect(failure { _ = try record.tensor("teacher", .f16, shape: [nil, 8]) }?.what == "has 'teacher' of F32 [3, 8] where F16 [any, 8] is expected")
        #expect(failure { _ = try record.tensor("teacher", .f32, shape: [nil]) }?.kind == .data)
        #expect(failure { _ = try record.tensor("loss", .f32, shape: [nil]) }?.what == "has no tensor 'loss'; it has images, index, label, teacher")
    }

    @Test func `that failure names the file and the record`() throws {
        let folder = try Workplace()
        try writeExampleStream(folder.path("a"))
        let reader = try StreamReader(folder.path("a"), fromRecord: 2)
        let record = try #require(try reader.next())
        #expect(failure { _ = try record.tensor("loss", .f32, shape: []) }?.description.hasPrefix("\(folder.path("a")): record 2: has no tensor 'loss'") == true)
    }

    @Test func `statistics leave out what is not finite, and count it`() {
        let statistics = TensorStatistics(Tensor(f32: [1, .nan, -3, .infinity, 5, -.infinity], shape: [6]))
        #expect(statistics.range == -3...5)
        #expect(statistics.mean == 1)
        #expect(statistics.nans == 1 && statistics.infinities == 2)
        #expect(TensorStatistics(Tensor(f32: [.nan], shape: [1])).range == nil)
        #expect(TensorStatistics(Tensor([UInt8(0), 255, 0], .u8, [3])).mean == 85)
    }
}

struct ProvenanceTests {
    @Test func `a line has the tool, its version and its arguments, and of paths only the last part`() {
        let line = Provenance(lines: ["first"]).adding(
            tool: "augment", arguments: ["--data", "/home/x/train.tar", "--recipe", "../conf/moco-v2", "--shard", "1/4", "--seed", "7"])
        #expect(line.lines == ["first", "augment \(productVersion) --data train.tar --recipe moco-v2 --shard 1/4 --seed 7"])
    }

    @Test func `a command's paths are reduced each by itself, also within quotes`() {
        let line = Provenance().adding(tool: "train-step", arguments: ["--loss", "python3 '/home/my dir/x.py' \"/a b/c d\" --y /e/f"])
        #expect(line.lines == ["train-step \(productVersion) --loss 'python3 x.py' c d\" --y f'"])
        let folder = Provenance().adding(tool: "augment", arguments: ["--data", "/home/my dir/of pictures/"])
        #expect(folder.lines == ["augment \(productVersion) --data 'of pictures'"])
    }

    @Test func `a line stays one line`() {
        let line = Provenance().adding(tool: "train-step", arguments: ["--loss", "python3 /opt/my loss.py\n--x", "<(", "/dev/fd/63"])
        #expect(line.lines == ["train-step \(productVersion) --loss 'python3 my loss.py --x' <( fd"])
    }
}

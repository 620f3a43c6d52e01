import Platform
import TensorStreams
import TestSupport
import Testing
import ToolSupport

struct SafetensorsTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    /// The document that Tests/golden/tensor_streams.py wrote: element i is i − 3, converted to its type.
    private static func everyType() -> TensorDocument {
        let whole = Array(-3...6)
        let floats = whole.map { Float($0) }
        func ramp<T: FixedWidthInteger & BitwiseCopyable>(_ dtype: DType, _ type: T.Type) -> Tensor {
            let values: [T] = whole.map { T(truncatingIfNeeded: $0) }
            return Tensor(values, dtype, [2, 5])
        }
        let halves: [UInt16] = [0xC200, 0xC000, 0xBC00, 0, 0x3C00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600]
        let brains: [UInt16] = floats.map { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }
        let even: [UInt8] = whole.map { $0 % 2 == 0 ? 1 : 0 }
        var tensors: [String: Tensor] = [:]
        tensors["f64"] = Tensor(f64: whole.map { Double($0) }, shape: [2, 5])
        tensors["f32"] = Tensor(f32: floats, shape: [2, 5])
        tensors["f16"] = Tensor(halves, .f16, [2, 5])
        tensors["bf16"] = Tensor(brains, .bf16, [2, 5])
        tensors["i64"] = ramp(.i64, Int64.self)
        tensors["i32"] = ramp(.i32, Int32.self)
        tensors["i16"] = ramp(.i16, Int16.self)
        tensors["i8"] = ramp(.i8, Int8.self)
        tensors["u64"] = ramp(.u64, UInt64.self)
        tensors["u32"] = ramp(.u32, UInt32.self)
        tensors["u16"] = ramp(.u16, UInt16.self)
        tensors["u8"] = ramp(.u8, UInt8.self)
        tensors["bool"] = Tensor(even, .bool, [2, 5])
        tensors["layer.0.weight"] = Tensor(f32: Array(floats[..<6]), shape: [2, 3, 1, 1])
        tensors["scalar"] = Tensor(f32: [7.5], shape: [])
        tensors["nothing"] = Tensor(f32: [], shape: [0, 4])
        return TensorDocument(metadata: ["made by": "safetensors \"é\"\n"], tensors: tensors)
    }

    @Test(arguments: ["every-type.safetensors", "every-type.safetensors.zst"])
    func `files of the Python library are read, plain and from zstd without its size`(name: String) throws {
        #expect(try DocumentFile.read(golden(name)) == SafetensorsTests.everyType())
    }

    @Test func `the same document makes the Python library's bytes`() throws {
        try DocumentFile.write(SafetensorsTests.everyType(), to: folder.path("a.safetensors"), checksum: false)
        #expect(bytes(of: folder.path("a.safetensors")) == bytes(of: golden("every-type.safetensors")))
    }

    @Test func `unaligned tensors are read`() throws {
        let document = try DocumentFile.read(golden("unaligned.safetensors"))
        #expect(document.tensors["a"] == Tensor(u8: [1, 2, 3], shape: [3]))
        #expect(document.tensors["b"] == Tensor(f32: [0.5, -2], shape: [2]))
    }

    @Test func `a stream of another program needs neither index nor checksum over the records`() throws {
        let records = try readAll(golden("foreign.tensors.zst")).get()
        #expect(records.map { $0.metadata["step"] } == ["0", "1"])
        #expect(try records[1].tensor("features", .f32, shape: [4, 2]).floats() == (0..<8).map { Float($0 - 2) })
    }

    @Test(arguments: ["a.safetensors", "a.safetensors.zst"]) func `a checkpoint survives writing and reading`(name: String) throws {
        try DocumentFile.write(exampleBatch(1), to: folder.path(name))
        #expect(try DocumentFile.read(folder.path(name)) == exampleBatch(1))
        #expect(try folder.contents() == [name])
    }

    @Test func `a checkpoint is compressed where its name says so`() throws {
        let zeros = TensorDocument(tensors: ["zeros": Tensor(f32: Array(repeating: 0, count: 10_000), shape: [10_000])])
        try DocumentFile.write(zeros, to: folder.path("a.safetensors.zst"))
        try DocumentFile.write(zeros, to: folder.path("b.safetensors"))
        #expect(bytes(of: folder.path("a.safetensors.zst")).count < 1000)
        #expect(bytes(of: folder.path("b.safetensors")).count > 40_000)
    }

    @Test(arguments: ["a.safetensors", "a.safetensors.zst"]) func `every cut of a checkpoint is an error`(name: String) throws {
        try DocumentFile.write(exampleBatch(1, count: 1, size: 2), to: folder.path(name))
        let whole = bytes(of: folder.path(name))
        for count in 0..<whole.count {
            write(Array(whole[..<count]), to: folder.path("cut"))
            #expect(failure { _ = try DocumentFile.read(folder.path("cut")) }?.kind == .data)
        }
        write(whole + [0], to: folder.path("cut"))
        #expect(failure { _ = try DocumentFile.read(folder.path("cut")) }?.kind == .data)
    }

    @Test(arguments: [
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} "#, "has tensor", 4),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "has tensor 'a' at offset 4 where 0 is expected", 8),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#, "has tensor 'b' at offset 2 where 4 is expected", 6),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "has tensor 'a' in 8 bytes where F32 [3] needs 12", 8),
        (#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, "has tensor 'a' of sizes [4294967296, 4294967296], above the limit", 0),
        (#"{"a":{"dtype":"F32","shape":[0,9223372036854775807,3],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, "has tensor 'a' of sizes", 1),
        (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}"#, "has tensor 'a' with a size that is not a whole number", 0),
        (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}"#, "has tensor 'a' with a size that is not a whole number", 6),
        (#"{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#, "has tensor 'a' of type F8_E4M3", 1),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "has tensor 'a' whose data_offsets are not two rising numbers", 4),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, "has tensor 'a' whose data_offsets are not two rising numbers", 4),
        (#"{"a":{"dtype":"F32","shape":[1]}}"#, "has tensor 'a' without exactly dtype, shape and data_offsets", 4),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, "has tensor 'a' without exactly dtype, shape and data_offsets", 4),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, "has a broken JSON header, at its byte 53: the key 'a' occurs twice", 1),
        (#"{"__metadata__":{"a":1}}"#, "has __metadata__ 'a' that is not a string", 0),
        (#"{"__metadata__":["a"]}"#, "has __metadata__ that is not a JSON object", 0),
        (#"[]"#, "has a header that does not start with '{'", 0),
        (#"{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#, "has tensor 'a' of more than 16 dimensions", 1),
        (#"{"a":{"dtype":"U8","shape":[9000000000000],"data_offsets":[0,9000000000000]}}"#, "has tensor 'a' of sizes", 0),
        (#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[9000000000000,9000000000001]}}"#, "has tensor 'a' up to byte 9000000000001", 0),
        (#"{"a":"#, "has a broken JSON header, at its byte 5: ends where a value is expected", 0),
    ] as [(String, String, Int)])
    func `a header that lies is refused`(header: String, what: String, dataBytes: Int) throws {
        write(document(header, data: Array(repeating: 0, count: dataBytes)), to: folder.path("a"))
        let failure = TestSupport.failure { _ = try DocumentFile.read(folder.path("a")) }
        if what == "has tensor" {
            #expect(failure?.what.hasSuffix("where its header says 71") == true)
        } else {
            #expect(failure?.what.hasPrefix("the document " + what) == true, "\(String(describing: failure))")
        }
    }

    @Test func `a name that safetensors keeps for itself cannot be a tensor's`() throws {
        let document = TensorDocument(tensors: ["__metadata__": Tensor(u8: [1], shape: [1])])
        #expect(failure { try DocumentFile.write(document, to: folder.path("a")) }?.kind == .usage)
        #expect(try folder.contents() == [])
    }

    @Test func `files of other kinds are named as such`() {
        for (start, what) in [
            (Array("PK\u{3}\u{4}".utf8) + zeros(26) + "archive/data.pkl".utf8, "a file of torch.save"),
            (Array("PK\u{3}\u{4}".utf8) + zeros(26) + "cats/1.jpg".utf8, "a zip archive"), ([0x80, 2, 0x8A], "a Python pickle, as older versions of torch.save wrote"),
            ([0x1F, 0x8B, 8, 0, 0, 0], "compressed by gzip"), ([0xFF, 0xD8, 0xFF, 0xE0], "a JPEG image"), (zeros(257) + "ustar".utf8, "a tar archive"),
            (Array("<!DOCTYPE html><html>".utf8), "a web page"), (Array("version https://git-lfs.github.com/spec/v1".utf8), "a Git LFS pointer, not the file itself"),
        ] as [([UInt8], String)] {
            write(start, to: folder.path("a"))
            #expect(failure { _ = try DocumentFile.read(folder.path("a")) }?.what == "is \(what), not a file of tensors")
        }
    }

    @Test func `a header whose length looks like the start of another kind is read`() throws {
        // A header of 0xFFD8FF bytes is longer than allowed; the length that starts like a pickle is short enough.
        let length: [UInt8] = [0x80, 2, 0, 0, 0, 0, 0, 0]
        write(length + "{}".utf8 + [UInt8](repeating: UInt8(ascii: " "), count: 0x280 - 2), to: folder.path("a"))
        #expect(try DocumentFile.read(folder.path("a")).tensors.isEmpty)
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}

struct LimitTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    /// A frame's header that claims `size` bytes, in one segment or with a window of 2^`log` bytes.
    private func frame(size: UInt64, log: UInt8? = nil) -> [UInt8] {
        let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
        if let log { return magic + [0xC4, (log - 10) << 3] + littleEndian(size) }
        return magic + [0xE4] + littleEndian(size)
    }

    @Test func `a header length that no header has is refused`() {
        for length: UInt64 in [.max, 1 << 63, 1 << 40, 100_000_001, 1 << 24 + 1] {
            write(littleEndian(length) + Array("{}      ".utf8), to: folder.path("a"))
            #expect(failure { _ = try DocumentFile.read(folder.path("a")) }?.what.contains("above the limit of 16777216") == true)
        }
    }

    @Test func `a frame that claims more than the limit is refused before it is read`() {
        for size: UInt64 in [.max, 1 << 62, 3 << 30] {
            let failure = TestSupport.failure { _ = try readAll(frame(size: size, log: 20) + [1, 0, 0]).get() }
            #expect(failure?.kind == .data)
            #expect(failure?.what.contains("limit") == true || failure?.what.contains("claims") == true)
        }
    }

    @Test func `a frame that wants too large a window is refused`() {
        #expect(failure { _ = try readAll(frame(size: 1000, log: 30) + [1, 0, 0]).get() }?.what.contains("of memory to decompress") == true)
    }

    @Test func `a bomb stops at the size it claims`() throws {
        // A hundred blocks of 128 KiB, one byte each, in a frame that claims a small document.
        var bomb = frame(size: 4096, log: 17)
        for block in 0..<100 {
            let last: UInt32 = block == 99 ? 1 : 0
            let runLength: UInt32 = 1 << 1
            bomb += littleEndian(UInt32(1 << 20) | runLength | last)[..<3] + [0x20]
        }
        let found = failure { _ = try readAll(bomb + [0, 0, 0, 0]).get() }
        #expect(found?.kind == .data && found?.what.contains("zstd: Destination buffer is too small") == true, "\(found?.what ?? "none")")
        write(bomb + [0, 0, 0, 0], to: folder.path("a.safetensors.zst"))
        #expect(failure { _ = try DocumentFile.read(folder.path("a.safetensors.zst")) }?.kind == .data)
    }

    @Test func `limits of tensors, header and document hold in streams`() throws {
        try writeExampleStream(folder.path("a"))
        var limits = Limits.standard
        limits.tensorCount = 3
        #expect(failure { _ = try readAll(folder.path("a"), limits: limits).get() }?.what == "record 0 has more than 3 tensors, which is the limit")
        limits = .standard
        limits.headerBytes = 200
        #expect(failure { _ = try readAll(folder.path("a"), limits: limits).get() }?.what.contains("above the limit of 200") == true)
        limits = .standard
        limits.documentBytes = 500
        #expect(failure { _ = try readAll(folder.path("a"), limits: limits).get() }?.what.contains("above the limit of 500") == true)
    }

    @Test func `deep and long JSON ends in a failure`() {
        let deep = #"{"a":"# + String(repeating: "[", count: 100_000)
        write(document(deep), to: folder.path("a"))
        #expect(failure { _ = try DocumentFile.read(folder.path("a")) }?.what.contains("without exactly dtype, shape and data_offsets") == true)
        #expect(failure { _ = try JSON(parsing: deep) }?.what == "values are nested too deeply")
        #expect(failure { _ = try JSON(parsing: "[" + String(repeating: "1,", count: 1_000_000) + "1]") }?.what == "there are too many values")
    }
}

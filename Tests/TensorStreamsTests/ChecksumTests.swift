import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// The checksum of a checkpoint's tensors and metadata.
struct ChecksumTests {
    let folder: Workplace
    let document = TensorDocument(
        metadata: ["network": "tiny-resnet10", "epoch": "3", "steps": "12", "provenance": "a\nb \"é\""],
        tensors: [
            "a.weight": Tensor(f32: [1, -2, 3.5, 4], shape: [2, 2]), "b": Tensor(i64: [7], shape: []), "c": Tensor(u8: [1, 2, 3], shape: [3]), "none": Tensor(f32: [], shape: [0, 4]),
        ])

    init() throws { folder = try Workplace() }

    @Test func `the checksum is that of the text the format names`() throws {
        try DocumentFile.write(document, to: folder.path("a"))
        // Computed by Tests/golden/checkpoint_checksum.py.
        #expect(String(decoding: bytes(of: folder.path("a")), as: UTF8.self).contains(#""checksum":"xxh64:45c9431c4b2a2528""#))
    }

    @Test(arguments: ["a.safetensors", "a.safetensors.zst"]) func `every flipped bit of a checkpoint is an error, or changes nothing`(name: String) throws {
        try DocumentFile.write(document, to: folder.path(name))
        let whole = bytes(of: folder.path(name))
        var harmless = 0
        for bit in 0..<8 * whole.count {
            var flipped = whole
            flipped[bit / 8] ^= 1 << UInt8(bit % 8)
            write(flipped, to: folder.path("b"))
            do {
                let found = try DocumentFile.read(folder.path("b"))
                // Only the word "checksum" itself may be damaged: without it the file counts as another program's.
                harmless += 1
                #expect(found.tensors == document.tensors)
                #expect(found.metadata.filter { document.metadata[$0.key] != nil } == document.metadata, "bit \(bit)")
            } catch {
                #expect((error as? Failure)?.kind == .data, "bit \(bit): \(error)")
            }
        }
        // Compressed data has a few meaningless bits.
        #expect(harmless <= (name.hasSuffix("zst") ? 40 : 8 * 15))
    }

    @Test func `a value, a name, a shape, a type and metadata are each covered`() throws {
        let changes: [(String, (inout TensorDocument) -> Void)] = [
            ("a value", { $0.tensors["a.weight"] = Tensor(f32: [1, -2, 3.5, 4.0000005], shape: [2, 2]) }), ("a name", { $0.tensors["d"] = $0.tensors.removeValue(forKey: "c") }),
            ("a shape", { $0.tensors["a.weight"] = Tensor(f32: [1, -2, 3.5, 4], shape: [4]) }), ("a type", { $0.tensors["b"] = Tensor([UInt64(7)], .u64, []) }),
            ("one fewer", { $0.tensors["none"] = nil }), ("the epoch", { $0.metadata["epoch"] = "4" }), ("a new key", { $0.metadata["x"] = "" }), ("exchanged", { ($0.metadata["epoch"], $0.metadata["steps"]) = ("12", "3") }),
        ]
        try DocumentFile.write(document, to: folder.path("a"))
        let header = bytes(of: folder.path("a"))
        let mark = Array("xxh64:".utf8)
        let start = try #require(header.indices.first { header[$0...].starts(with: mark) })
        let checksum = String(decoding: header[start..<start + 22], as: UTF8.self)
        for (name, change) in changes {
            var changed = document
            change(&changed)
            changed.metadata["checksum"] = checksum
            try DocumentFile.write(changed, to: folder.path("b"), checksum: false)
            let failure = TestSupport.failure { _ = try DocumentFile.read(folder.path("b")) }
            #expect(failure?.kind == .data && failure?.what.contains("do not match its checksum") == true, "\(name): \(String(describing: failure))")
            // Reading some of the tensors verifies all of them.
            #expect(TestSupport.failure { _ = try DocumentFile.read(folder.path("b")) { _ in ["b"] } }?.kind == .data, "\(name)")
        }
        var same = document
        same.metadata["checksum"] = checksum
        try DocumentFile.write(same, to: folder.path("b"), checksum: false)
        #expect(try DocumentFile.read(folder.path("b")) == document)
        #expect(try DocumentFile.read(folder.path("b")) { _ in ["b", "nothing of this name"] }.tensors == ["b": Tensor(i64: [7], shape: [])])
    }

    @Test func `files of other programs have none, or one of another kind`() throws {
        for checksum in [nil, "sha256:abc", "", "0123456789abcdef"] {
            var other = document
            other.metadata["checksum"] = checksum
            try DocumentFile.write(other, to: folder.path("a"), checksum: false)
            #expect(try DocumentFile.read(folder.path("a")) == other)
        }
    }
}

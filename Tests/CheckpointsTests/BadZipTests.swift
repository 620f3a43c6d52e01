import Checkpoints
import Foundation
import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// Zip files of `torch.save` and NumPy with inconsistent content.
@Suite struct BadZipTests: PickleMaking {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    private static let floats: [UInt8] = [Float](arrayLiteral: 1, 2, 3, 4).flatMap { littleEndian($0.bitPattern) }
    private let storage = ZipMember("a/data/0", BadZipTests.floats), array = ZipMember("w.npy", numpyHeader(shape: "4,") + BadZipTests.floats)
    private var pickle: ZipMember { ZipMember("a/data.pkl", [0x80, 2] + dictionary([4], [1]) + [0x2E]) }

    /// The failure from reading all tensors of an archive with these members.
    private func failure(_ members: [ZipMember]) throws -> Failure? {
        let isTorch = members.contains { $0.name.hasSuffix("data.pkl") }
        return try failure(ZipMember.archive(members), isTorch: isTorch)
    }

    private func failure(_ bytes: [UInt8], isTorch: Bool) throws -> Failure? {
        try folder.write(Data(bytes), to: "x")
        return TestSupport.failure {
            if isTorch {
                let file = try TorchFile(folder.path("x"))
                _ = try file.read(Set(file.outline.names))
            } else {
                let file = try NumPyFile(folder.path("x"))
                _ = try file.read(Set(file.outline.names))
            }
        }
    }

    private func expectRefused(_ members: [ZipMember], _ words: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let failure = try failure(members), text = failure?.description ?? ""
        #expect(failure?.kind == .data && text.contains(words), "\(words): \(String(describing: failure))", sourceLocation: sourceLocation)
        #expect(text.utf8.count < 600 && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }, "\(text)", sourceLocation: sourceLocation)
    }

    @Test func `archives of our own making are read, so what follows fails by its fault alone`() throws {
        for members in [[pickle, storage], [array], [pickle, storage].map { $0.with { $0.isZip64 = true } }, [array.with { $0.isZip64 = true }]] { #expect(try failure(members) == nil) }
        // Correctly deflated, except for the checksum.
        #expect(try failure([.deflated("w.npy", numpyHeader(shape: "1000,"), zeros: 4000)])?.description.contains("CRC") == true)
    }

    @Test func `sizes that are none of a member's are refused`() throws {
        for wrong: UInt64 in [12, 20, 1 << 20, 1 << 31] {
            try expectRefused([pickle, storage.with { $0.size = wrong }], "a/data/0")
            try expectRefused([array.with { $0.size = wrong }], "w.npy")
            try expectRefused([pickle, storage.with { $0.size = wrong; $0.packedSize = wrong }], "a/data/0")
            try expectRefused([array.with { $0.size = wrong; $0.packedSize = wrong }], "w.npy")
        }
        try expectRefused([pickle, ZipMember("a/data/0", Self.floats + [0])], "has more than 16 bytes")
        try expectRefused([pickle, ZipMember("a/data/0", Array(Self.floats.dropLast()))], "has fewer than 16 bytes")
        try expectRefused([ZipMember("w.npy", array.bytes + [0])], "has more than")
        try expectRefused([ZipMember("w.npy", Array(array.bytes.dropLast()))], "has fewer than")
    }

    @Test func `what zip64 says is believed no more`() throws {
        for wrong: UInt64 in [1 << 33, 1 << 47, 1 << 62, .max] {
            for change: (inout ZipMember) -> Void in [{ $0.size = wrong }, { $0.packedSize = wrong }, { $0.size = wrong; $0.packedSize = wrong }, { $0.offset = wrong }] {
                let member = { (member: ZipMember) in member.with { $0.isZip64 = true; change(&$0) } }
                try expectRefused([pickle, member(storage)], "x")
                try expectRefused([member(pickle), storage], "x")
                try expectRefused([member(array)], "x")
            }
        }
    }

    @Test func `numbers that are not what was written are refused`() throws {
        try expectRefused([pickle, storage.with { $0.checksum = 1 }], "CRC")
        try expectRefused([array.with { $0.checksum = 1 }], "CRC")
    }

    @Test func `members outside of the archive, and two of one name, are refused`() throws {
        for name in ["/a/data.pkl", "../a/data.pkl", "a/../a/data.pkl"] { try expectRefused([pickle.with { $0.name = name }, storage], "leads out of the archive") }
        try expectRefused([pickle, storage, ZipMember("/etc/passwd", [])], "member etc/passwd: has a path that leads out of the archive")
        for name in ["/w.npy", "../w.npy"] { try expectRefused([array.with { $0.name = name }], "leads out of the archive") }
        for members in [[pickle, pickle, storage], [pickle, storage, storage], [pickle, storage, storage.with { $0.name = "a//data/./0" }], [array, array]] {
            try expectRefused(members, "is there twice")
        }
    }

    @Test func `a pickle in a zip calls nothing either`() throws {
        let call = name("os", "system") + tuple(text("touch /tmp/called")) + [0x52, 0x2E]
        try expectRefused([ZipMember("a/data.pkl", [0x80, 2] + call), storage], "calls os.system, which no file of tensors needs; nothing was called")
    }

    @Test func `claims of exabytes and members that unpack to more than the file are refused`() throws {
        for count in [1 << 20, 1 << 40, 1 << 47, 1 << 60] {
            try expectRefused([ZipMember("a/data.pkl", [0x80, 2] + dictionary(count: count, [count], [1]) + [0x2E]), storage], count < 1 << 48 ? "in a file of" : "has a storage of")
        }
        try expectRefused([.deflated("a/data.pkl", [0x80, 2], zeros: 1 << 20), storage], "is larger than 65536 bytes, which is the limit")
        let count = 1 << 20
        try expectRefused(
            [ZipMember("a/data.pkl", [0x80, 2] + dictionary(count: count, [count], [1]) + [0x2E]), .deflated("a/data/0", [], zeros: 4 * count)], "would have")
        for shape in ["1099511627776,", "1048576, 1048576", "100000000,", "9223372036854775807, 9", "-1,", "4294967296, 4294967296"] {
            try expectRefused([array.with { $0.bytes = numpyHeader(shape: shape) + Self.floats }], "x")
        }
        try expectRefused([.deflated("w.npy", numpyHeader(shape: "100000000,"), zeros: 400_000)], "would have 400000000 bytes of arrays in a file of")
    }

    @Test func `control characters in names are shown, not sent to a terminal`() throws {
        let strange = "\u{1B}[31m\r\n\u{7F}"
        try expectRefused([pickle.with { $0.name = "a\(strange)/data.pkl" }, storage.with { $0.name = "a\(strange)/data/0"; $0.bytes = [1] }], "\\u{1b}[31m")
        try expectRefused([array.with { $0.name = "\(strange).npy"; $0.bytes = Array($0.bytes.dropLast()) }], "\\u{1b}[31m")
        let named = [0x7D] as [UInt8] + text(strange) + dictionary([5], [1]) + [0x73, 0x2E]
        try expectRefused([ZipMember("a/data.pkl", [0x80, 2] + named), storage], "\\u{1b}[31m")
    }

    @Test(arguments: ["arrays.npz", "arrays-deflated.npz"])
    func `an archive of NumPy that is cut anywhere is an error`(name: String) throws {
        let whole = [UInt8](try Data(contentsOf: URL(filePath: golden(name))))
        for count in 0..<whole.count {
            let failure = try failure(Array(whole[..<count]), isTorch: false)
            #expect(failure.map { [.data, .noInput].contains($0.kind) } == true && failure?.description.utf8.count ?? 0 < 500, "\(count) of \(whole.count) bytes: \(String(describing: failure))")
        }
    }
}

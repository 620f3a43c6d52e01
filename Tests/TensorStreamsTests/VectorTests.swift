import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// The test vectors of docs/tensor-stream.md, written by another program (`Tests/golden/vectors.py`).
struct VectorTests {
    private func told() throws -> JSON { try JSON(parsing: bytes(of: golden("vector.json"))) }

    /// Compares a document with its description in `vector.json`.
    private func expect(_ document: TensorDocument, _ told: JSON?) throws {
        let tensors = try #require(told?["tensors"]?.asObject)
        #expect(document.tensors.keys.sorted() == tensors.map(\.key).sorted())
        for member in tensors {
            let (name, description) = (member.key, member.value)
            let tensor = try #require(document.tensors[name])
            #expect(tensor.dtype.rawValue == description["dtype"]?.asString && tensor.shape == description["shape"]?.asArray?.compactMap(\.asInteger), "\(name)")
            let expected = description["values"]?.asArray?.compactMap(\.asNumber)
            #expect(try tensor.dtype.isFloating ? tensor.floats().map(Double.init) == expected : tensor.integers().map(Double.init) == expected, "\(name)")
        }
    }

    private func metadata(_ told: JSON?) -> [String: String] {
        Dictionary(uniqueKeysWithValues: (told?.asObject ?? JSON.Object()).compactMap { member in member.value.asString.map { (member.key, $0) } })
    }

    @Test func `the stream has the header, the records and the end that are told, from its beginning and from its second record`() throws {
        let told = try told(), records = try #require(told["records"]?.asArray)
        let reader = try StreamReader(golden("vector.tensors.zst"))
        var expected = metadata(told["header"])
        #expect(expected.removeValue(forKey: "format") == "tensor-stream/1" && reader.header.provenance.text == expected.removeValue(forKey: "provenance"))
        #expect(reader.header.metadata == expected)
        for record in records {
            let found = try #require(try reader.next())
            #expect(found.metadata == metadata(record["metadata"]))
            try expect(found, record)
        }
        #expect(try reader.next() == nil && reader.hasChecksum && reader.hashIsWhole)
        let second = try StreamReader(golden("vector.tensors.zst"), fromRecord: 1)
        try expect(try #require(try second.next()), records[1])
        #expect(try second.next() == nil)
    }

    @Test func `the checkpoint's checksum is verified, and holds for the tensors that are told`() throws {
        guard case .document(let reader) = try TensorInput.open(golden("vector.safetensors")) else {
            Issue.record("it is a stream")
            return
        }
        #expect(reader.hasChecksum)
        let document = try reader.read(), told = try told()["checkpoint"]
        try expect(document, told)
        var expected = metadata(told?["metadata"])
        expected["checksum"] = nil
        #expect(document.metadata == expected)
        var damaged = bytes(of: golden("vector.safetensors"))
        damaged[damaged.count - 1] ^= 1
        let folder = try Workplace()
        write(damaged, to: folder.path("x"))
        let found = failure { _ = try DocumentFile.read(folder.path("x")) }
        #expect(found?.kind == .data && found?.what.contains("checksum") == true, "\(found?.what ?? "none")")
    }
}

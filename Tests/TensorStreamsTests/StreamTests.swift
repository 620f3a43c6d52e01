import Glibc
import TensorStreams
import Testing
import ToolSupport

struct StreamTests {
    let folder = TemporaryFolder()

    @Test func `what is written is what is read`() throws {
        let path = folder.file("a.tensors.zst")
        try writeStream(path)
        let reader = try StreamReader(path)
        #expect(reader.header == header)
        #expect(reader.recordIndex == -1)
        for step in 0..<3 {
            #expect(try reader.next() == batch(step))
            #expect(reader.recordIndex == step)
        }
        #expect(try reader.next() == nil)
        #expect(try reader.next() == nil)
    }

    @Test func `equal records make equal bytes`() throws {
        try writeStream(folder.file("a"))
        try writeStream(folder.file("b"))
        #expect(bytes(of: folder.file("a")) == bytes(of: folder.file("b")))
    }

    @Test func `a stream of no records has an end`() throws {
        try writeStream(folder.file("a"), records: 0)
        #expect(try readAll(folder.file("a")).get().isEmpty)
    }

    @Test func `every flipped bit is an error that says where`() throws {
        let path = folder.file("a")
        try writeStream(path, records: 2)
        let whole = bytes(of: path)
        for place in whole.indices {
            for bit in 0..<8 {
                var damaged = whole
                damaged[place] ^= 1 << bit
                write(damaged, to: path)
                guard case .failure(let failure) = readAll(path) else {
                    Issue.record("bit \(bit) of byte \(place) was not missed")
                    continue
                }
                #expect(failure.kind == .data)
                #expect(failure.path == path)
            }
        }
    }

    @Test func `every cut is an error, and none yields all records`() throws {
        let path = folder.file("a")
        try writeStream(path, records: 2)
        let whole = bytes(of: path)
        for count in 0..<whole.count {
            write(Array(whole[..<count]), to: path)
            guard case .failure(let failure) = readAll(path) else {
                Issue.record("\(count) of \(whole.count) bytes were taken for a whole stream")
                continue
            }
            #expect(failure.kind == .data)
        }
    }
}

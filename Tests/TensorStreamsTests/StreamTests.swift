import Platform
import TensorStreams
import TestSupport
import Testing
import ToolSupport

struct StreamTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    @Test func `what is written is what is read`() throws {
        let path = folder.path("a.tensors.zst")
        try writeExampleStream(path)
        let reader = try StreamReader(path)
        #expect(reader.header == exampleHeader)
        #expect(reader.recordIndex == -1)
        for step in 0..<3 {
            #expect(try reader.next() == exampleBatch(step))
            #expect(reader.recordIndex == step)
        }
        #expect(try reader.next() == nil)
        #expect(try reader.next() == nil)
    }

    @Test func `equal records make equal bytes`() throws {
        try writeExampleStream(folder.path("a"))
        try writeExampleStream(folder.path("b"))
        #expect(bytes(of: folder.path("a")) == bytes(of: folder.path("b")))
    }

    @Test(arguments: [-7, 1, 3, 12]) func `every level yields the same records`(level: Int) throws {
        try writeExampleStream(folder.path("a"), level: level)
        #expect(try readAll(folder.path("a")).get() == (0..<3).map { exampleBatch($0) })
    }

    @Test func `a level that zstd has not is a usage failure`() {
        #expect(failure { try writeExampleStream(folder.path("a"), level: 23) }?.kind == .usage)
    }

    @Test func `a stream of no records has an end`() throws {
        try writeExampleStream(folder.path("a"), records: 0)
        #expect(try readAll(folder.path("a")).get().isEmpty)
    }

    @Test func `documents larger than every buffer arrive whole`() throws {
        let large = exampleBatch(7, count: 40, size: 150)
        let writer = try StreamWriter(folder.path("a"), header: exampleHeader, level: 1)
        for _ in 0..<3 { try writer.write(large) }
        try writer.commit()
        #expect(try readAll(folder.path("a")).get() == [large, large, large])
    }

    @Test func `the memory of a record is not given to another while somebody holds it`() throws {
        try writeExampleStream(folder.path("a"), records: 9)
        let reader = try StreamReader(folder.path("a"))
        var held: [TensorDocument] = []
        while let record = try reader.next() {
            // Every third record is released at once, so that its memory is reused.
            if reader.recordIndex % 3 != 0 { held.append(record) }
        }
        #expect(held == [1, 2, 4, 5, 7, 8].map { exampleBatch($0) })
    }

    @Test func `tensors are aligned to 64 bytes where their order allows it`() throws {
        try writeExampleStream(folder.path("a"))
        let record = try #require(try readAll(folder.path("a")).get().first)
        // Eight-byte elements come first in a document.
        #expect(record.tensors["index"]?.withBytes { Int(bitPattern: $0.baseAddress) % 64 } == 0)
        #expect(record.tensors["teacher"]?.withBytes { Int(bitPattern: $0.baseAddress) % 4 } == 0)
    }
}

struct DamagedStreamTests {
    let folder: Workplace
    let whole: [UInt8]

    init() throws {
        folder = try Workplace()
        try writeExampleStream(folder.path("a"), records: 2)
        whole = bytes(of: folder.path("a"))
        try #require(readAll(whole).get().count == 2)
    }

    @Test func `every flipped bit is an error`() {
        for place in whole.indices {
            for bit in 0..<8 {
                var damaged = whole
                damaged[place] ^= 1 << bit
                guard case .failure(let failure) = readAll(damaged) else {
                    Issue.record("bit \(bit) of byte \(place) was missed")
                    continue
                }
                #expect(failure.kind == .data)
                #expect(failure.path == "pipe")
            }
        }
    }

    @Test func `every cut is an error`() {
        for count in 0..<whole.count {
            guard case .failure(let failure) = readAll(Array(whole[..<count])) else {
                Issue.record("\(count) of \(whole.count) bytes were taken for a whole stream")
                continue
            }
            #expect(failure.kind == .data)
        }
    }

    @Test func `a cut between records says after which`() {
        let frames = frames(of: whole)
        let cut = frames[0] + frames[1]
        #expect(readAll(cut) == .failure(Failure(
            .data, path: "pipe", offset: cut.count, "ends after record 0 without its end record",
            remedy: "the program that wrote it stopped early")))
    }

    @Test func `a damaged record names itself and its place`() throws {
        let start = frames(of: whole)[..<2].joined().count
        var damaged = whole
        damaged[start + 60] ^= 255
        let failure = try #require(TestSupport.failure { _ = try readAll(damaged).get() })
        #expect(failure.what.hasPrefix("record 1 "))
        #expect(failure.location?.hasPrefix("byte ") == true)
    }

    @Test func `records before the damage are handed out, and the failure stays`() throws {
        let frames = frames(of: whole)
        let reader = try StreamReader(descriptor: pipe(holding: frames[0] + frames[1] + [1, 2, 3]), name: "pipe")
        #expect(try reader.next() == exampleBatch(0))
        let first = failure { _ = try reader.next() }
        #expect(first?.kind == .data)
        #expect(failure { _ = try reader.next() } == first)
    }

    @Test func `a missing, repeated or exchanged record is an error`() {
        let (head, a, b, end) = (frames(of: whole)[0], frames(of: whole)[1], frames(of: whole)[2], frames(of: whole)[3])
        let index = whole.suffix(whole.count - frames(of: whole).joined().count)
        for records in [[a], [b], [a, a], [b, a], [a, b, b]] {
            guard case .failure(let failure) = readAll(head + records.joined() + end + index) else {
                Issue.record("\(records.count) records were taken for the whole stream")
                continue
            }
            #expect(failure.kind == .data)
        }
        #expect((try? readAll(head + a + b + end + index).get().count) == 2)
    }

    @Test(arguments: [[0], [0x28, 0xB5, 0x2F, 0xFD], [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]] as [[UInt8]])
    func `anything behind the end is an error`(more: [UInt8]) {
        #expect(failure { _ = try readAll(whole + more).get() }?.what == "there are bytes after the end of the stream")
    }

    @Test func `two streams in one are an error`() {
        #expect(failure { _ = try readAll(whole + whole).get() }?.kind == .data)
    }

    @Test func `the failure of a file names the file`() throws {
        write(Array(whole.dropLast(20)), to: folder.path("cut"))
        let failure = try #require(TestSupport.failure { _ = try readAll(folder.path("cut")).get() })
        #expect(failure.description.hasPrefix(folder.path("cut") + ": byte "))
    }

    @Test func `an empty input, a folder and a missing file have their own statuses`() {
        write([], to: folder.path("empty"))
        #expect(failure { _ = try StreamReader(folder.path("empty")) }?.kind == .data)
        #expect(failure { _ = try StreamReader(folder.path(".")) }?.kind == .noInput)
        #expect(failure { _ = try StreamReader(folder.path("missing")) }?.kind == .noInput)
    }

    @Test func `other files are told from streams`() throws {
        try DocumentFile.write(exampleBatch(0), to: folder.path("a.safetensors"))
        try DocumentFile.write(exampleBatch(0), to: folder.path("a.safetensors.zst"))
        write(Array("a line of text, not tensors".utf8), to: folder.path("text"))
        #expect(failure { _ = try StreamReader(folder.path("a.safetensors")) }?.what == "is a plain safetensors file, not a tensor stream")
        #expect(failure { _ = try StreamReader(folder.path("a.safetensors.zst")) }?.what == "is a checkpoint or a single document, not a tensor stream")
        #expect(failure { _ = try StreamReader(folder.path("text")) }?.what == "is not a tensor stream: it does not start with a zstd frame")
        #expect(failure { _ = try DocumentFile.read(folder.path("a")) }?.what == "is a tensor stream where a single document is expected")
    }
}

struct StreamWriterTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    @Test func `a file appears at commit and not before`() throws {
        let writer = try StreamWriter(folder.path("a"), header: exampleHeader)
        try writer.write(exampleBatch(0))
        #expect(try folder.contents().count == 1 && folder.contents().allSatisfy { $0.hasPrefix("a.") && $0.hasSuffix(".part") })
        try writer.commit()
        #expect(try folder.contents() == ["a"])
    }

    @Test func `a writer that is dropped leaves nothing, and the old file as it was`() throws {
        write([1, 2, 3], to: folder.path("a"))
        do {
            let writer = try StreamWriter(folder.path("a"), header: exampleHeader)
            try writer.write(exampleBatch(0))
        }
        #expect(try folder.contents() == ["a"])
        #expect(bytes(of: folder.path("a")) == [1, 2, 3])
    }

    @Test func `what a dropped writer put into a pipe is no whole stream`() throws {
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        do {
            let writer = try StreamWriter(descriptor: ends[1], name: "pipe", header: exampleHeader)
            try writer.write(exampleBatch(0))
        }
        let reader = try StreamReader(descriptor: ends[0], name: "pipe")
        #expect(try reader.next() == exampleBatch(0))
        #expect(failure { _ = try reader.next() }?.kind == .data)
    }

    @Test func `a full disk is a failure of status 74`() {
        #expect(failure { _ = try StreamWriter("/dev/full", header: exampleHeader) }?.kind == .io)
    }

    @Test func `a reader that has gone is a closed pipe, and the stream cannot be completed after it`() throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        let writer = try StreamWriter(descriptor: ends[1], name: "pipe", header: exampleHeader)
        close(ends[0])
        #expect(failure { try writer.write(exampleBatch(0)) }?.kind == .closedPipe)
        #expect(failure { try writer.commit() } != nil)
    }

    @Test func `nothing can be written after commit`() throws {
        let writer = try StreamWriter(folder.path("a"), header: exampleHeader)
        try writer.commit()
        #expect(failure { try writer.write(exampleBatch(0)) }?.kind == .software)
    }
}

struct SeekingTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    @Test(arguments: 0...5) func `reading can start at any record`(first: Int) throws {
        try writeExampleStream(folder.path("a"), records: 5)
        let reader = try StreamReader(folder.path("a"), fromRecord: first)
        #expect(reader.header == exampleHeader)
        for step in first..<5 {
            #expect(try reader.next() == exampleBatch(step))
            #expect(reader.recordIndex == step)
        }
        #expect(try reader.next() == nil)
    }

    @Test func `records before the first are not looked at in a file`() throws {
        try writeExampleStream(folder.path("a"), records: 5)
        var damaged = bytes(of: folder.path("a"))
        damaged[frames(of: damaged)[0].count + 40] ^= 255
        write(damaged, to: folder.path("a"))
        let reader = try StreamReader(folder.path("a"), fromRecord: 1)
        #expect(try reader.next() == exampleBatch(1))
    }

    @Test func `of a pipe they are read and dropped`() throws {
        try writeExampleStream(folder.path("a"), records: 5)
        let reader = try StreamReader(descriptor: pipe(holding: bytes(of: folder.path("a"))), name: "pipe")
        try reader.skip(to: 3)
        #expect(try reader.next() == exampleBatch(3))
        #expect(reader.recordIndex == 3)
    }

    @Test func `a file without index is read from its start`() throws {
        let reader = try StreamReader(golden("foreign.tensors.zst"), fromRecord: 1)
        #expect(try reader.next()?.metadata["step"] == "1")
        #expect(try reader.next() == nil)
    }

    @Test func `a record that is not there is a usage failure`() throws {
        try writeExampleStream(folder.path("a"), records: 5)
        #expect(failure { _ = try StreamReader(folder.path("a"), fromRecord: 6) }?.kind == .usage)
        #expect(failure { _ = try StreamReader(golden("foreign.tensors.zst"), fromRecord: 3) }?.kind == .usage)
    }

    @Test func `a file cut at its end has no index to go by, and is an error all the same`() throws {
        try writeExampleStream(folder.path("a"), records: 5)
        let whole = bytes(of: folder.path("a"))
        for lost in 1...60 {
            write(Array(whole.dropLast(lost)), to: folder.path("a"))
            let failure = TestSupport.failure {
                let reader = try StreamReader(folder.path("a"), fromRecord: 4)
                while try reader.next() != nil {}
            }
            #expect(failure?.kind == .data)
        }
    }

    @Test func `a damaged index is an error, but for the sizes of content that is passed over`() throws {
        try writeExampleStream(folder.path("a"), records: 5)
        let whole = bytes(of: folder.path("a"))
        let start = frames(of: whole).joined().count
        let passedOver = [20, 28].flatMap { start + $0..<start + $0 + 4 }  // the second halves of the entries of records 0 and 1
        for place in start..<whole.count where !passedOver.contains(place) {
            var damaged = whole
            damaged[place] ^= 4
            write(damaged, to: folder.path("a"))
            let failure = TestSupport.failure {
                let reader = try StreamReader(folder.path("a"), fromRecord: 2)
                while try reader.next() != nil {}
            }
            #expect(failure?.kind == .data)
        }
    }
}

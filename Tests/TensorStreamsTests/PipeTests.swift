import Platform
import TensorStreams
import Testing
import ToolSupport

struct PipeTests {
    /// A reader that waited for more than a record would hang here: nothing follows until it has answered.
    @Test(.timeLimit(.minutes(10))) func `two programs can answer each other record by record`() throws {
        var there: [CInt] = [0, 0], back: [CInt] = [0, 0]
        Platform.pipe(&there)
        Platform.pipe(&back)
        let question = try StreamWriter(descriptor: there[1], name: "there", header: header)
        let asked = try StreamReader(descriptor: there[0], name: "there")
        let answer = try StreamWriter(descriptor: back[1], name: "back", header: header)
        let answered = try StreamReader(descriptor: back[0], name: "back")
        for step in 0..<20 {
            try question.write(batch(step))
            let record = try #require(try asked.next())
            try answer.write(record)
            #expect(try answered.next() == batch(step))
        }
        try question.commit()
        #expect(try asked.next() == nil)
        try answer.commit()
        #expect(try answered.next() == nil)
    }

    @Test(.timeLimit(.minutes(10))) func `a record that comes byte by byte is whole`() throws {
        let folder = TemporaryFolder()
        try writeStream(folder.file("a"))
        let whole = bytes(of: folder.file("a"))
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        let descriptor = ends[1]
        let thread = Thread {
            for byte in whole { _ = withUnsafeBytes(of: byte) { Platform.write(descriptor, $0.baseAddress, 1) } }
            close(descriptor)
        }
        let reader = try StreamReader(descriptor: ends[0], name: "pipe")
        for step in 0..<3 { #expect(try reader.next() == batch(step)) }
        #expect(try reader.next() == nil)
        thread.join()
    }

    @Test func `a pipe and a file of one level hold the same bytes`() throws {
        let folder = TemporaryFolder()
        try writeStream(folder.file("a"), level: 1)
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        let writer = try StreamWriter(descriptor: ends[1], name: "pipe", header: header, level: 1)
        for step in 0..<3 { try writer.write(batch(step)) }
        try writer.commit()
        var found = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(ends[0], &found, found.count)
        close(ends[0])
        #expect(Array(found[..<count]) == bytes(of: folder.file("a")))
    }
}

struct ReadAheadTests {
    let folder = TemporaryFolder()

    @Test(arguments: [1, 2, 5]) func `it hands out the records of the stream in order`(depth: Int) throws {
        try writeStream(folder.file("a"), records: 12)
        let ahead = ReadAhead(try StreamReader(folder.file("a")), depth: depth)
        #expect(ahead.header == header)
        #expect(ahead.name == folder.file("a"))
        for step in 0..<12 {
            #expect(try ahead.next() == batch(step))
            #expect(ahead.recordIndex == step)
        }
        #expect(try ahead.next() == nil)
        #expect(try ahead.next() == nil)
    }

    @Test func `a failure comes behind the records before it, and stays`() throws {
        try writeStream(folder.file("a"))
        write(Array(bytes(of: folder.file("a")).dropLast(90)), to: folder.file("a"))
        let plain = failure { _ = try readAll(folder.file("a")).get() }
        let ahead = ReadAhead(try StreamReader(folder.file("a")))
        for step in 0..<3 { #expect(try ahead.next() == batch(step)) }
        #expect(failure { _ = try ahead.next() } == plain)
        #expect(failure { _ = try ahead.next() } == plain)
    }

    @Test func `it can be dropped at any time`() throws {
        try writeStream(folder.file("a"), records: 12)
        for count in 0..<4 {
            let ahead = ReadAhead(try StreamReader(folder.file("a")))
            for _ in 0..<count { _ = try ahead.next() }
        }
    }

    @Test func `it counts the time it was waited for`() throws {
        try writeStream(folder.file("a"))
        let stream = bytes(of: folder.file("a"))
        let first = frames(of: stream)[0]
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        _ = Platform.write(ends[1], first, first.count)
        let ahead = ReadAhead(try StreamReader(descriptor: ends[0], name: "pipe"))
        let descriptor = ends[1]
        let thread = Thread {
            usleep(1_000_000)
            _ = Array(stream[first.count...]).withUnsafeBytes { Platform.write(descriptor, $0.baseAddress, $0.count) }
            close(descriptor)
        }
        #expect(try ahead.next() == batch(0))
        #expect(ahead.waited > 0.05 && ahead.waited < 200)
        thread.join()
    }
}

/// A thread of the system's.
final class Thread {
    private var thread = pthread_t()
    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    init(_ body: @escaping @Sendable () -> Void) {
        pthread_create(&thread, nil, { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, Unmanaged.passRetained(Box(body)).toOpaque())
    }

    func join() { pthread_join(thread, nil) }
}

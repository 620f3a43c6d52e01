import Platform
import TensorStreams
import TestSupport
import Testing
import ToolSupport

struct PipeTests {
    /// A reader that waited for more than a record would hang here: nothing follows until it has answered.
    @Test(.timeLimit(.minutes(10))) func `two programs can answer each other record by record`() throws {
        var there: [CInt] = [0, 0], back: [CInt] = [0, 0]
        Platform.pipe(&there)
        Platform.pipe(&back)
        let question = try StreamWriter(descriptor: there[1], name: "there", header: exampleHeader)
        let asked = try StreamReader(descriptor: there[0], name: "there")
        let answer = try StreamWriter(descriptor: back[1], name: "back", header: exampleHeader)
        let answered = try StreamReader(descriptor: back[0], name: "back")
        for step in 0..<20 {
            try question.write(exampleBatch(step))
            let record = try #require(try asked.next())
            try answer.write(record)
            #expect(try answered.next() == exampleBatch(step))
        }
        try question.commit()
        #expect(try asked.next() == nil)
        try answer.commit()
        #expect(try answered.next() == nil)
    }

    @Test(.timeLimit(.minutes(10))) func `a record that comes byte by byte is whole`() throws {
        let folder = try Workplace()
        try writeExampleStream(folder.path("a"))
        let whole = bytes(of: folder.path("a"))
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        let descriptor = ends[1]
        let thread = Thread {
            for byte in whole { _ = withUnsafeBytes(of: byte) { Platform.write(descriptor, $0.baseAddress, 1) } }
            close(descriptor)
        }
        let reader = try StreamReader(descriptor: ends[0], name: "pipe")
        for step in 0..<3 { #expect(try reader.next() == exampleBatch(step)) }
        #expect(try reader.next() == nil)
        thread.join()
    }

    @Test func `a pipe and a file of one level hold the same bytes`() throws {
        let folder = try Workplace()
        try writeExampleStream(folder.path("a"), level: 1)
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        let writer = try StreamWriter(descriptor: ends[1], name: "pipe", header: exampleHeader, level: 1)
        for step in 0..<3 { try writer.write(exampleBatch(step)) }
        try writer.commit()
        var found = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(ends[0], &found, found.count)
        close(ends[0])
        #expect(Array(found[..<count]) == bytes(of: folder.path("a")))
    }
}

struct ReadAheadTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    @Test(arguments: [1, 2, 5]) func `it hands out the records of the stream in order`(depth: Int) throws {
        try writeExampleStream(folder.path("a"), records: 12)
        let ahead = ReadAhead(try StreamReader(folder.path("a")), depth: depth)
        #expect(ahead.header == exampleHeader)
        #expect(ahead.name == folder.path("a"))
        for step in 0..<12 {
            #expect(try ahead.next() == exampleBatch(step))
            #expect(ahead.recordIndex == step)
        }
        #expect(try ahead.next() == nil)
        #expect(try ahead.next() == nil)
    }

    @Test func `a failure comes behind the records before it, and stays`() throws {
        try writeExampleStream(folder.path("a"))
        write(Array(bytes(of: folder.path("a")).dropLast(90)), to: folder.path("a"))
        let plain = failure { _ = try readAll(folder.path("a")).get() }
        let ahead = ReadAhead(try StreamReader(folder.path("a")))
        for step in 0..<3 { #expect(try ahead.next() == exampleBatch(step)) }
        #expect(failure { _ = try ahead.next() } == plain)
        #expect(failure { _ = try ahead.next() } == plain)
    }

    @Test(.timeLimit(.minutes(10)), arguments: 0..<4) func `its thread ends, and closes what it reads, once it is dropped`(taken: Int) throws {
        signal(SIGPIPE, SIG_IGN)
        try writeExampleStream(folder.path("a"), records: 12)
        let frames = frames(of: bytes(of: folder.path("a")))
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        defer { close(ends[1]) }
        func send(_ frame: [UInt8]) -> Bool { Platform.write(ends[1], frame, frame.count) == frame.count }
        for frame in frames[...taken] { try #require(send(frame)) }
        do {
            let ahead = ReadAhead(try StreamReader(descriptor: ends[0], name: "pipe"))
            for step in 0..<taken { #expect(try ahead.next() == exampleBatch(step)) }
        }
        // Otherwise writing to a full pipe would block.
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        // The writer stays open: only a write to a pipe without a reader shows that the thread has ended.
        #expect(waitUntil { !send(frames[taken + 1]) && errno == EPIPE })
    }

    @Test func `it counts the time it was waited for`() throws {
        try writeExampleStream(folder.path("a"))
        let stream = bytes(of: folder.path("a"))
        let first = frames(of: stream)[0]
        var ends: [CInt] = [0, 0]
        Platform.pipe(&ends)
        _ = Platform.write(ends[1], first, first.count)
        let ahead = ReadAhead(try StreamReader(descriptor: ends[0], name: "pipe"))
        var told: [Double] = []
        (ahead.patience, ahead.tellWaiting) = (0.2, { told.append($0) })
        let descriptor = ends[1]
        let thread = Thread {
            usleep(1_000_000)
            _ = Array(stream[first.count...]).withUnsafeBytes { Platform.write(descriptor, $0.baseAddress, $0.count) }
            close(descriptor)
        }
        #expect(try ahead.next() == exampleBatch(0))
        #expect(ahead.waited > 0.05 && ahead.waited < 200)
        // After 0.2 and 0.6 s at the earliest.
        #expect(told.first.map { $0 >= 0.2 } == true && zip(told, told.dropFirst()).allSatisfy { $1 >= $0 + 0.35 }, "\(told)")
        thread.join()
    }
}

/// A POSIX thread.
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

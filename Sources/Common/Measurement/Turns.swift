import Platform
import TensorStreams
import ToolSupport

/// The measuring process's side of a protocol of JSON lines on standard input and output.
///
/// | it writes             | when                                                                   |
/// |-----------------------|------------------------------------------------------------------------|
/// | `{"ready": true}`     | everything is prepared and warm                                        |
/// | `{"seconds": 0.42}`   | after each line `run`: the mean seconds per batch of the turn; the first batch, which finds another process's data in the caches, does not count |
/// | `{"memory": 1234567}` | after the last line: its peak memory, in bytes                         |
///
/// So two programs can take turns on the same processors, and the memory of each is measured separately.
public enum Turns {
    /// Takes turns until the input ends.
    ///
    /// - Parameter seconds: the length of a turn: as many batches as take this long.
    public static func serve(seconds: Double, _ batch: () -> Void) throws {
        var output = try OutputFile(OutputFile.standard)
        for _ in 0..<2 { batch() }
        try output.write(JSON.object(["ready": true]).text + "\n")
        while let line = readLine() {
            guard line == "run" else { throw Failure(.data, path: "standard input", "says '\(line)', expected 'run'") }
            batch()
            let start = Progress.now()
            var batches = 0.0
            repeat {
                batch()
                batches += 1
            } while Progress.now() - start < seconds
            try output.write(JSON.object(["seconds": .number((Progress.now() - start) / batches)]).text + "\n")
        }
        try output.write(JSON.object(["memory": .integer(Int64(peakMemory))]).text + "\n")
        try output.commit()
    }

    /// The peak memory of this process, in bytes; 0 where the system does not provide it.
    ///
    /// It is read from the process's status, because the value of `getrusage` starts with the memory of the parent
    /// process.
    static var peakMemory: Int {
        let file = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 14)
        let count = read(file, &bytes, bytes.count)
        for line in String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).split(separator: "\n") where line.hasPrefix("VmHWM:") {
            if let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) }) { return kibibytes << 10 }
        }
        return 0
    }
}

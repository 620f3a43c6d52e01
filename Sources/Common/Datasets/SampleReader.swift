import Archives
import ToolSupport

/// Reads the bytes of one image, wherever they are stored.
public struct SampleReader: Sendable {
    enum Source {
        /// `count` bytes of a file from `start` on; nil for the whole file.
        case file(SourceFile, start: Int, count: Int?)
        case memory(KeptBytes)
    }

    let source: Source
    let location: @Sendable () -> String

    /// Fills `buffer` with as many bytes from `offset` on as there are, and returns their number; 0 is the end.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        switch source {
        case .memory(let bytes): return unsafe bytes.read(into: buffer, at: offset)
        case .file(let file, _, nil): return try unsafe file.read(buffer, at: offset)
        case .file(let file, let start, let count?):
            let wanted = max(0, min(buffer.count, count - offset))
            let got = try unsafe file.read(UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: start + offset)
            guard got == wanted else {
                throw Failure(.data, path: location(), "ends early", remedy: "the archive has become shorter since it was scanned")
            }
            return got
        }
    }
}

import Platform
import Synchronization
import ToolSupport

/// Copies standard input to standard output, while another thread reads the same bytes from a pipe for as long as it
/// wants.
struct ByteCopy {
    private let toReader: CInt
    private let fromCopy: CInt

    init() throws {
        var ends: [CInt] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw Failure.errno(.io, path: "tap", "cannot make a pipe") }
        (fromCopy, toReader) = (ends[0], ends[1])
        widenPipe(toReader)
    }

    /// Copies to the end of the input.
    ///
    /// - Parameter read: receives a descriptor with the input's bytes, and closes it when it has read enough. Its error
    ///   is thrown after everything is copied.
    func run(_ read: @escaping @Sendable (CInt) throws -> Void) throws {
        var failure: (any Error)?
        let outcome = Outcome()
        let descriptor = fromCopy
        let thread = try startThread {
            do { try read(descriptor) } catch { outcome.failure.withLock { $0 = error } }
        }
        var output = try OutputFile(OutputFile.standard)
        output.widenPipe()
        widenPipe(STDIN_FILENO)
        var isRead = true
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        do {
            while true {
                let count = unsafe Platform.read(STDIN_FILENO, &chunk, chunk.count)
                if count < 0, errno == EINTR || mayGoOn(STDIN_FILENO, POLLIN) { continue }
                guard count >= 0 else { throw Failure.errno(.io, path: "standard input", "cannot read") }
                guard count > 0 else { break }
                try unsafe chunk.withUnsafeBytes { bytes in
                    try unsafe output.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]).bytes)
                    // False once the reader has stopped.
                    if isRead { isRead = unsafe DescriptorBytes.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]).bytes, to: toReader) }
                }
            }
            try output.commit()
        } catch {
            failure = error
        }
        // The reader sees the end of the input, and has closed its file when it ends.
        close(toReader)
        pthread_join(thread, nil)
        if let error = failure ?? outcome.failure.withLock({ $0 }) { throw error }
    }

    private final class Outcome: Sendable {
        let failure = Mutex<(any Error)?>(nil)
    }
}

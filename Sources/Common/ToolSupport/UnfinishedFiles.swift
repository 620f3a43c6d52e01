#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif
import Synchronization

/// The files being written now, so that a signal or an exit that ends the tool does not leave them behind.
///
/// A signal's handler may do very little. So each name lies ready as a C string in a slot of a fixed table, and the handler
/// unlinks what it finds there.
enum UnfinishedFiles {
    /// As many as a process may have open, where nobody has raised that: an unfinished file is open.
    private static let slots = 1024
    // Written before any handler can run and never freed; slots are claimed and cleared by single stores.
    nonisolated(unsafe) private static let names = {
        let names = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: slots)
        unsafe names.initialize(repeating: nil, count: slots)
        return unsafe names
    }()
    private static let lock = Mutex(())

    /// Lets SIGINT, SIGTERM and SIGHUP remove what is unfinished before they end the tool, and `exit` too.
    ///
    /// A signal that is ignored, as `nohup` has it, stays ignored.
    static func watchSignals() {
        _ = unsafe names
        atexit { UnfinishedFiles.removeAll() }
        for number in [SIGINT, SIGTERM, SIGHUP] {
            var action = sigaction()
            guard unsafe sigaction(number, nil, &action) == 0, unsafe action.__sigaction_handler.sa_handler == nil else { continue }
            signal(number) { number in
                UnfinishedFiles.removeAll()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }

    private static func removeAll() {
        for slot in 0..<slots {
            if let name = unsafe names[slot] { unsafe unlink(name) }
        }
    }

    /// Remembers `path` until it is forgotten. With more files than slots the others are only not cleaned up.
    static func remember(_ path: String) -> Int? {
        lock.withLock { _ in
            guard let slot = (0..<slots).first(where: { unsafe names[$0] == nil }) else { return nil }
            unsafe names[slot] = unsafe strdup(path)
            return slot
        }
    }

    static func forget(_ slot: Int?) {
        guard let slot else { return }
        lock.withLock { _ in
            let name = unsafe names[slot]
            unsafe names[slot] = nil
            unsafe free(name)
        }
    }
}

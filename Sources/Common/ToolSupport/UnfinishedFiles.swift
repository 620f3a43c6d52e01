#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif
import Synchronization

/// The files being written now, so that a signal that ends the tool does not leave them behind.
///
/// A signal's handler may do very little. So each name lies ready as a C string in a slot of a fixed table, and the handler
/// unlinks what it finds there.
enum UnfinishedFiles {
    private static let slots = 16
    // Written before any handler can run and never freed; slots are claimed and cleared by single stores.
    nonisolated(unsafe) private static let names = {
        let names = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: slots)
        unsafe names.initialize(repeating: nil, count: slots)
        return unsafe names
    }()
    private static let lock = Mutex(())

    /// Lets SIGINT, SIGTERM and SIGHUP remove what is unfinished before they end the tool.
    static func watchSignals() {
        _ = unsafe names
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number) { number in
                for slot in 0..<UnfinishedFiles.slots {
                    if let name = unsafe UnfinishedFiles.names[slot] { unsafe unlink(name) }
                }
                signal(number, SIG_DFL)
                raise(number)
            }
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

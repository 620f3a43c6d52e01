import CProcess
import Parallel
import Platform
import Synchronization

/// The files that are being written, so that they are removed when a signal or an exit ends the tool.
///
/// A signal handler may do very little. So each name is stored as a C string in a slot of a fixed table, with the
/// file's device and inode. The handler unlinks the file if it is still the same one.
enum UnfinishedFiles {
    /// The default limit of open files of a process: every unfinished file is open.
    private static let slots = 1024
    // Allocated before any handler can run, and never freed.
    nonisolated(unsafe) private static let table = {
        let table = UnsafeMutablePointer<Slot>.allocate(capacity: slots)
        for slot in 0..<slots { unsafe (table + slot).initialize(to: Slot()) }
        return unsafe table
    }()
    private static let lock = Mutex(())

    /// One file. The slot keeps the name's memory, because a handler may be reading it at any time.
    @safe private struct Slot: ~Copyable {
        let isTaken = Atomic<Bool>(false)
        var name: UnsafeMutablePointer<CChar>?
        var capacity = 0
        var identity = FileIdentity(device: 0, inode: 0)
    }

    /// Removes unfinished files before every signal that ends a process by default, and at `exit`.
    ///
    /// An ignored signal, as with `nohup`, stays ignored. Swift's own crash handlers, which only print and continue on
    /// a signal from outside, are kept where SWIFT_BACKTRACE requests them.
    static func watchSignals() {
        _ = unsafe table
        seed_set_cleanup { UnfinishedFiles.removeAll() }
        atexit { UnfinishedFiles.removeAll() }
        // These signals do not end a process: stop, continue, notices of children and windows. SIGKILL cannot be
        // caught, and 32 and 33 belong to the C library.
        let keepsBacktraces = unsafe getenv("SWIFT_BACKTRACE") != nil
        let others: Set<CInt> = [SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGCHLD, SIGURG, SIGWINCH, 32, 33]
        for number in CInt(1)...64 where !others.contains(number) {
            var action = sigaction()
            guard unsafe sigaction(number, nil, &action) == 0 else { continue }
            let isDefault = unsafe action.__sigaction_handler.sa_handler == nil
            let isIgnored = unsafe action.sa_flags & SA_SIGINFO == 0 && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1  // SIG_IGN
            guard isDefault || !isIgnored && !keepsBacktraces else { continue }
            unsafe sigfillset(&action.sa_mask)
            action.sa_flags = SA_RESTART
            unsafe action.__sigaction_handler.sa_handler = { number in
                UnfinishedFiles.removeAll()
                signal(number, SIG_DFL)
                raise(number)  // It is delivered when this returns, and ends the process as usual.
            }
            unsafe sigaction(number, &action, nil)
        }
    }

    static func removeAll() {
        for slot in 0..<slots where unsafe table[slot].isTaken.load(ordering: .acquiring) {
            if let name = unsafe table[slot].name, unsafe FileIdentity(at: name) == table[slot].identity { unsafe unlink(name) }
        }
        // Then folders, which are empty now, the inner ones first, in as many passes as the nesting needs
        // (``PrivateFolder``).
        for _ in 0..<2 {
            for slot in (0..<slots).reversed() where unsafe table[slot].isTaken.load(ordering: .acquiring) {
                if let name = unsafe table[slot].name, unsafe FileIdentity(at: name) == table[slot].identity { unsafe rmdir(name) }
            }
        }
    }

    /// Creates a file with `body` and remembers it, with signals blocked in between.
    ///
    /// - Parameter body: returns the name and the identity of the file, or nil on failure.
    /// - Returns: the slot, to be passed to `forget`. Nil without a file, or when all slots are taken; such files are
    ///   only not cleaned up.
    static func remember(_ body: () throws -> (name: String, identity: FileIdentity)?) rethrows -> Int? {
        try withoutSignals {
            guard let (name, identity) = try body() else { return nil }
            return lock.withLock { _ in
                guard let slot = (0..<slots).first(where: { unsafe !table[$0].isTaken.load(ordering: .relaxed) }) else { return nil }
                let length = name.utf8.count + 1
                var memory = unsafe table[slot].name
                if unsafe table[slot].capacity < length {
                    // The previous memory is leaked: it is little, because the size doubles each time.
                    let capacity = unsafe max(length, 2 * table[slot].capacity, 256)
                    unsafe memory = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
                    unsafe table[slot].name = unsafe memory
                    unsafe table[slot].capacity = capacity
                }
                guard let memory = unsafe memory else { return nil }
                unsafe name.withCString { unsafe _ = strcpy(memory, $0) }
                unsafe table[slot].identity = identity
                unsafe table[slot].isTaken.store(true, ordering: .releasing)
                return slot
            }
        }
    }

    static func forget(_ slot: Int?) {
        if let slot { unsafe table[slot].isTaken.store(false, ordering: .releasing) }
    }
}

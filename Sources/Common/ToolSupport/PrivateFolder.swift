import CProcess
import Platform

/// A folder that appears under its name only when it is complete.
///
/// It is created as `PATH.PID.part` beside its target, always as a new folder, and filled there. ``commit()`` flushes
/// everything to disk and renames it. So the target is either absent, or the previous folder, or complete. Two
/// processes that make the same folder never touch each other's files. A folder that is dropped before the commit is
/// removed, also when a signal ends the tool; only files that were made here are removed, and only if their names still
/// refer to them.
public final class PrivateFolder {
    private let target: String
    /// The unfinished folder's path.
    public let path: String
    private var entries: [Entry] = []
    /// The folders among the entries, from the outermost.
    private var folders: [String] = []
    /// The identity of the target at creation; nil if it did not exist.
    private let before: FileIdentity?

    private struct Entry {
        let path: String
        let identity: FileIdentity
        let note: Int?
    }

    /// The result of ``commit()``.
    public enum Outcome {
        case done
        /// The previous target folder was exchanged with this one: its files are in ``path`` now.
        case exchanged
        /// Another program has changed the target since creation. It is left unchanged.
        case overtaken
    }

    /// - Throws: a ``Failure`` of kind `cannotCreate`.
    public init(_ target: String) throws {
        var target = target
        while target.utf8.count > 1, target.utf8.last == UInt8(ascii: "/") { target.removeLast() }
        self.target = target
        before = unsafe FileIdentity(at: target)
        var made: String?
        let note = UnfinishedFiles.remember { () -> (name: String, identity: FileIdentity)? in
            for number in 1...1000 {
                let name = "\(target).\(getpid())" + (number > 1 ? ".\(number)" : "") + ".part"
                if unsafe mkdir(name, 0o777) == 0, let identity = unsafe FileIdentity(at: name) {
                    made = name
                    return (name, identity)
                }
                guard errno == EEXIST || errno == EINTR else { break }
            }
            return nil
        }
        guard let made, let identity = unsafe FileIdentity(at: made) else { throw Failure.errno(.cannotCreate, path: target, "cannot create the folder") }
        path = made
        folders = [made]
        entries = [Entry(path: made, identity: identity, note: note)]
    }

    deinit {
        for entry in entries.reversed() {
            if unsafe FileIdentity(at: entry.path) == entry.identity, unsafe unlink(entry.path) != 0 { unsafe rmdir(entry.path) }
            UnfinishedFiles.forget(entry.note)
        }
    }

    /// Creates a folder inside.
    public func makeFolder(_ name: String) throws {
        let path = "\(path)/\(name)"
        try remember(path) { unsafe mkdir(path, 0o777) == 0 ? unsafe FileIdentity(at: path) : nil }
        folders.append(path)
    }

    /// Creates a file inside.
    public func makeFile(_ name: String) throws -> NewFile {
        let path = "\(path)/\(name)"
        var descriptor: CInt = -1
        try remember(path) {
            descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
            return descriptor < 0 ? nil : FileIdentity(of: descriptor)
        }
        return NewFile(descriptor, name: "\(target)/\(name)")
    }

    private func remember(_ path: String, _ make: () -> FileIdentity?) throws {
        var identity: FileIdentity?
        let note = UnfinishedFiles.remember { () -> (name: String, identity: FileIdentity)? in
            identity = make()
            return identity.map { (path, $0) }
        }
        guard let identity else { throw Failure.errno(.cannotCreate, path: path, "cannot create it") }
        entries.append(Entry(path: path, identity: identity, note: note))
    }

    /// Flushes the folders, whose files are finished, and moves this one to its target.
    ///
    /// A non-empty folder that existed at creation is exchanged with it: the caller decides what happens to its files.
    public func commit() throws -> Outcome {
        for folder in folders.reversed() { try PrivateFolder.flush(folder) }
        guard unsafe FileIdentity(at: path) == entries[0].identity else {
            throw Failure(.io, path: target, "its unfinished folder \(path) was replaced by another program")
        }
        // `rename` can replace only a missing target or an empty folder.
        if unsafe rename(path, target) == 0 {
            forget()
            try PrivateFolder.flush(parent)
            return .done
        }
        guard errno == ENOTEMPTY || errno == EEXIST else {
            if errno == ENOTDIR { return .overtaken }
            throw Failure.errno(.cannotCreate, path: target, "cannot rename its .part")
        }
        guard let before, unsafe FileIdentity(at: target) == before, exchange() else { return .overtaken }
        // Another folder may have appeared between the check and the exchange.
        guard unsafe FileIdentity(at: path) == before else {
            _ = exchange()
            return .overtaken
        }
        forget()
        try PrivateFolder.flush(parent)
        return .exchanged
    }

    /// Exchanges this folder and the target: atomically, or in three steps where the file system cannot do that (NFS).
    private func exchange() -> Bool {
        if unsafe seed_exchange(path, target) == 0 { return true }
        guard [EINVAL, ENOSYS, EOPNOTSUPP].contains(errno) else { return false }
        let aside = "\(path).old"
        guard unsafe rename(target, aside) == 0 else { return false }
        guard unsafe rename(path, target) == 0 else {
            unsafe rename(aside, target)
            return false
        }
        return unsafe rename(aside, path) == 0
    }

    private func forget() {
        for entry in entries { UnfinishedFiles.forget(entry.note) }
        entries = []
    }

    private var parent: String {
        guard let end = target.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return end == target.startIndex ? "/" : String(target[..<end])
    }

    private static func flush(_ folder: String) throws {
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure.errno(.io, path: folder, "cannot open the folder") }
        defer { close(descriptor) }
        // Some file systems cannot flush a folder, and report it with this error.
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw Failure.errno(.io, path: folder, "cannot flush it to disk") }
    }

    /// A file in a ``PrivateFolder``.
    public struct NewFile: ~Copyable {
        private let descriptor: CInt
        private let name: String

        fileprivate init(_ descriptor: CInt, name: String) {
            self.descriptor = descriptor
            self.name = name
        }

        public func write(_ bytes: RawSpan) throws {
            guard DescriptorBytes.write(bytes, to: descriptor) else { throw Failure.errno(.io, path: name, "cannot write") }
        }

        /// Flushes it to the disk.
        public consuming func finish() throws {
            guard fsync(descriptor) == 0 else { throw Failure.errno(.io, path: name, "cannot flush it to disk") }
        }

        deinit { close(descriptor) }
    }
}

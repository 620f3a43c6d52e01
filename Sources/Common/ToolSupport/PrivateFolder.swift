import CProcess
import Platform

/// A folder that appears under its name only when it is complete.
///
/// It is made as `PATH.PID.part` beside its place, which is always a new folder, and filled there; ``commit()`` flushes all of it to the disk and
/// renames it, so that under its name there is nothing, or what was there before, or everything. Two processes that make the
/// same folder never touch each other's files. What is dropped before that is removed, and so it is when a signal ends the tool; only what was made
/// here, and only where it still lies at its name.
public final class PrivateFolder {
    private let target: String
    /// The unfinished folder's path.
    public let path: String
    private var entries: [Entry] = []
    /// The folders among them, from the outermost.
    private var folders: [String] = []
    /// What lay at the target when this was made; nil for nothing.
    private let before: FileIdentity?

    private struct Entry {
        let path: String
        let identity: FileIdentity
        let note: Int?
    }

    /// What came of ``commit()``.
    public enum Outcome {
        case done
        /// The folder that was at the target before has changed places with this one: its files are in ``path`` now.
        case exchanged
        /// Another program has put something at the target since this was made. It is as it was.
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

    /// Makes a folder in it.
    public func makeFolder(_ name: String) throws {
        let path = "\(path)/\(name)"
        try remember(path) { unsafe mkdir(path, 0o777) == 0 ? unsafe FileIdentity(at: path) : nil }
        folders.append(path)
    }

    /// Makes a file in it.
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

    /// Flushes the folders, whose files are finished, and puts this one at its place.
    ///
    /// A folder that was there when this was made, and has files, changes places with it: what is to become of them is the caller's to say.
    public func commit() throws -> Outcome {
        for folder in folders.reversed() { try PrivateFolder.flush(folder) }
        guard unsafe FileIdentity(at: path) == entries[0].identity else {
            throw Failure(.io, path: target, "its unfinished folder \(path) was replaced by another program")
        }
        // A folder may take the place of nothing and of an empty folder, and of nothing else.
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
        // Between the look and the exchange another may have come.
        guard unsafe FileIdentity(at: path) == before else {
            _ = exchange()
            return .overtaken
        }
        forget()
        try PrivateFolder.flush(parent)
        return .exchanged
    }

    /// Lets this folder and the target change places; where the file system cannot do that at once (NFS), in three steps.
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
        // Some file systems cannot flush a folder, and say so in this way.
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

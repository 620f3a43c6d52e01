import Platform

/// A file that appears under its name only when it is complete.
///
/// Bytes go to `PATH.PID.part` in the same folder. The process number keeps two processes that make the same file
/// apart, such as a run that was killed only partly and its replacement. The part is always a new file: an existing
/// file of its name, such as a link or the leftover of a dead process with the same number, is not touched, and the
/// part gets another name.
///
/// ``commit()`` flushes the bytes to disk and renames the part to `PATH`; an existing link is replaced, not followed. A
/// file that is dropped before that is removed, also when a signal ends the tool; in both cases only if its name still
/// refers to the file that was made. A path that is not a regular file (`/dev/null`, a named pipe, `>(…)`) and `-`,
/// standard output, are written directly.
public struct OutputFile: ~Copyable {
    /// The path, or "standard output"; used in messages.
    public let name: String
    /// The number of bytes written so far.
    public private(set) var position = 0
    private let path: String
    private let descriptor: CInt
    /// The unfinished file; nil where the output is written directly, and after a commit.
    private var part: Part?

    /// The path that means standard output (and, for readers, standard input).
    public static let standard = "-"

    private struct Part {
        var path: String
        var identity: FileIdentity
        /// Its slot in the table for the signal handler.
        var note: Int?

        /// Whether its name still refers to the file that was made.
        var isInPlace: Bool { unsafe FileIdentity(at: path) == identity }
    }

    /// Writes a text to a file or standard output.
    public static func write(_ text: String, to path: String) throws { try unsafe write(Array(text.utf8).span.bytes, to: path) }

    /// Writes bytes to a file or standard output.
    public static func write(_ bytes: RawSpan, to path: String) throws {
        var file = try OutputFile(path)
        try file.write(bytes)
        try file.commit()
    }

    public init(_ path: String) throws {
        let isStandard = path == OutputFile.standard
        let name = isStandard ? "standard output" : path
        if path.isEmpty { throw Failure(.usage, "the name of an output is empty", remedy: "name a file") }
        var status = stat()
        let exists = unsafe stat(path, &status) == 0
        let isFolder = !isStandard && exists && status.st_mode & S_IFMT == S_IFDIR
        if isFolder { throw Failure(.cannotCreate, path: path, "is a folder", remedy: "name a file in it") }
        var descriptor = STDOUT_FILENO
        var part: Part?
        if !isStandard, exists && status.st_mode & S_IFMT != S_IFREG || OutputFile.isDescriptor(path) {
            descriptor = unsafe open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw Failure.errno(.cannotCreate, path: name, "cannot create it") }
        } else if !isStandard {
            (descriptor, part) = try OutputFile.createPart(path)
        }
        self.path = path
        self.name = name
        self.descriptor = descriptor
        self.part = part
    }

    /// Whether `path` names an open descriptor of this process, beside which no part can be created.
    private static func isDescriptor(_ path: String) -> Bool {
        ["/dev/fd/", "/dev/stdout", "/dev/stderr", "/proc/self/fd/"].contains { path.hasPrefix($0) }
    }

    /// Creates a new file beside `path`.
    private static func createPart(_ path: String) throws -> (CInt, Part) {
        var descriptor: CInt = -1
        var part: Part?
        let note = UnfinishedFiles.remember { () -> (name: String, identity: FileIdentity)? in
            for number in 1...1000 {
                let name = partName(path, number)
                descriptor = unsafe open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
                if descriptor >= 0, let identity = FileIdentity(of: descriptor) {
                    part = Part(path: name, identity: identity)
                    return (name, identity)
                }
                guard errno == EEXIST || errno == EINTR else { break }
            }
            return nil
        }
        guard var part else { throw Failure.errno(.cannotCreate, path: path, "cannot create it") }
        part.note = note
        return (descriptor, part)
    }

    /// `PATH.PID.part`, then `PATH.PID.2.part` and so on where the name is taken.
    private static func partName(_ path: String, _ number: Int) -> String {
        let ending = ".\(getpid())" + (number > 1 ? ".\(number)" : "") + ".part"
        // A file name has at most 255 bytes. A name that is too long by itself is kept, so that the system rejects it.
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[...$0] } ?? ""
        var base = path[folder.endIndex...]
        guard base.utf8.count <= 255 else { return path + ending }
        while base.utf8.count + ending.utf8.count > 255 { base.removeLast() }
        return folder + base + ending
    }

    /// Throws the error that creating the file would throw, so that no hours of work are wasted.
    public static func check(_ path: String) throws {
        var status = stat()
        let isSpecial = unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG && status.st_mode & S_IFMT != S_IFDIR
        // Opening and closing a pipe would end its reader.
        if path != standard, !isSpecial { _ = try OutputFile(path) }
    }

    /// Writes to an open descriptor, such as one end of a pipe; ``commit()`` closes it.
    public init(descriptor: CInt, name: String) {
        self.path = name
        self.name = name
        self.descriptor = descriptor
    }

    /// Whether the bytes go to a regular file; false for a pipe or a terminal.
    public var isRegularFile: Bool {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    /// Enlarges the buffer of the pipe that this writes to, if it is one.
    public func widenPipe() { ToolSupport.widenPipe(descriptor) }

    public mutating func write(_ bytes: RawSpan) throws {
        guard DescriptorBytes.write(bytes, to: descriptor) else {
            if errno == EPIPE { throw Failure(.closedPipe, path: name, "closed by its reader") }
            throw Failure.errno(.io, path: name, "cannot write")
        }
        position += bytes.byteCount
    }

    /// Writes the UTF-8 of `text`.
    public mutating func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        try unsafe write(bytes.span.bytes)
    }

    /// Makes the file visible under its name, or closes standard output; throws on failure.
    public consuming func commit() throws {
        guard let part else {
            if path == OutputFile.standard {
                // Some write errors are reported only by `close`.
                guard close(STDOUT_FILENO) == 0 else { throw Failure.errno(.io, path: name, "cannot close it") }
            }
            return
        }
        guard fsync(descriptor) == 0 else { throw Failure.errno(.io, path: name, "cannot flush it to disk") }
        guard part.isInPlace else { throw Failure(.io, path: name, "its unfinished file \(part.path) was replaced by another program") }
        guard unsafe rename(part.path, path) == 0 else { throw Failure.errno(.io, path: name, "cannot rename its .part") }
        self.part = nil
        UnfinishedFiles.forget(part.note)
        let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let folderDescriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folderDescriptor >= 0 {
            fsync(folderDescriptor)  // Some file systems cannot; the rename is valid anyway.
            close(folderDescriptor)
        }
    }

    deinit {
        if path != OutputFile.standard { close(descriptor) }
        if let part {
            if part.isInPlace { unsafe unlink(part.path) }
            UnfinishedFiles.forget(part.note)
        }
    }
}

/// Whether a read or write failed only because the descriptor is non-blocking, a mode in which another program may have
/// left a shared terminal or pipe. Waits until the operation is possible.
public func mayGoOn(_ descriptor: CInt, _ event: CInt) -> Bool {
    guard errno == EAGAIN else { return false }
    var question = pollfd(fd: descriptor, events: Int16(event), revents: 0)
    return unsafe poll(&question, 1, -1) >= 0 || errno == EINTR
}

/// Enlarges the buffer of the pipe behind `descriptor` from 64 KiB to 1 MiB, so that its two sides wait less for each
/// other.
///
/// The system may refuse, and refuses for anything but a pipe; then nothing changes.
public func widenPipe(_ descriptor: CInt) {
    let setPipeSize: CInt = 1031  // F_SETPIPE_SZ of linux/fcntl.h
    _ = fcntl(descriptor, setPipeSize, 1 << 20 as CInt)
}

import CArchive
public import Platform
public import ToolSupport

/// An open archive and its current member.
@safe public final class ArchiveFile {
    public let path: BytePath
    private let handle: OpaquePointer
    private var entry: OpaquePointer?

    /// libarchive converts UTF-8 names to the locale's encoding, which is ASCII by default, and drops characters that
    /// it lacks.
    private static let takesNamesInUTF8: Void = { _ = unsafe setlocale(LC_CTYPE, "C.UTF-8") }()

    public init(_ path: BytePath) throws {
        ArchiveFile.takesNamesInUTF8
        guard let handle = unsafe archive_read_new() else { throw Failure(.io, path: path.description, "there is no memory for libarchive") }
        unsafe self.handle = handle
        self.path = path
        unsafe archive_read_support_format_tar(handle)
        unsafe archive_read_support_format_zip_seekable(handle)
        // Not all available filters: some start other programs.
        unsafe archive_read_support_filter_gzip(handle)
        unsafe archive_read_support_filter_bzip2(handle)
        unsafe archive_read_support_filter_xz(handle)
        unsafe archive_read_support_filter_lzma(handle)
        unsafe archive_read_support_filter_zstd(handle)
        unsafe archive_read_support_filter_lz4(handle)
        // Concatenated tars are read to the end of the last one.
        unsafe archive_read_set_format_option(handle, "tar", "read_concatenated_archives", "1")
        guard unsafe path.withCString({ unsafe archive_read_open_filename(handle, $0, 1 << 16) }) == ARCHIVE_OK else {
            let isUnreadable = unsafe archive_errno(handle) > 0 && path.withCString { unsafe access($0, R_OK) } != 0
            if isMemoryShort { throw outOfMemory }
            if isUnreadable { throw Failure(.noInput, path: path.description, "cannot be opened as a tar or zip archive: \(message)") }
            throw try unknown()
        }
    }

    deinit { unsafe archive_read_free(handle) }

    /// Explains why libarchive does not recognise the file as an archive.
    private func unknown() throws -> Failure {
        var start = [UInt8](repeating: 0, count: FileKind.prefix)
        let file = try SourceFile(path)
        start.removeLast(start.count - (try unsafe start.withUnsafeMutableBytes { unsafe try file.read($0, at: 0) }))
        guard let kind = FileKind.of(start) else {
            return Failure(.data, path: path.description, "cannot be opened as a tar or zip archive: \(message)")
        }
        // The directory of a zip is at its end.
        if start.starts(with: "PK".utf8) { return Failure(.data, path: path.description, "is a zip archive whose list of members is not in its last 16 KiB", remedy: "it is truncated or damaged, or has a long comment; make it again") }
        if kind.isCompressed {
            return Failure(.data, path: path.description, "is \(kind.name), but contains no readable tar", remedy: "it is truncated or damaged, or not an archive")
        }
        return Failure(.data, path: path.description, "is \(kind.name), not a tar or zip archive", remedy: "name a folder of images or an archive")
    }

    /// libarchive's message on one line: some messages end with a line break, and some contain member names.
    private var message: String {
        guard let text = unsafe archive_error_string(handle) else { return "unknown error" }
        let line = unsafe String(cString: text)
        return String(line[..<(line.lastIndex { !$0.isWhitespace }.map(line.index(after:)) ?? line.endIndex)]).printableLine(limit: 300)
    }

    private var isMemoryShort: Bool {
        // The libraries below libarchive report this only as text.
        unsafe archive_errno(handle) == ENOMEM || ["Cannot allocate", "Can't allocate", "Allocation error"].contains { message.contains($0) }
    }

    private var outOfMemory: Failure { Failure(.io, path: path.description, "there is no memory to read it: \(message)") }

    /// Advances to the next member; false at the end.
    public func next() throws -> Bool {
        let status = unsafe archive_read_next_header(handle, &entry)
        if status == ARCHIVE_EOF { return false }
        // With an encrypted directory there is no current member.
        if status != ARCHIVE_OK, status != ARCHIVE_WARN {
            if unsafe archive_read_has_encrypted_entries(handle) > 0 { throw encrypted }
            throw broken("cannot be read")
        }
        return true
    }

    /// The member's path, without empty components and `.`; nil if the archive does not store it.
    public var memberPath: BytePath? {
        guard let name = unsafe archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) else { return nil }
        return unsafe ArchiveFile.path(name)
    }

    /// Whether the member's path, as stored, is absolute or contains `..`.
    public var leavesFolder: Bool {
        guard let name = unsafe archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry) else { return false }
        let path = unsafe BytePath(UnsafeBufferPointer(start: name, count: strlen(name)).map { UInt8(bitPattern: $0) })
        return path.bytes.first == BytePath.separator || path.parts.contains { $0.elementsEqual("..".utf8) }
    }

    /// The target of a hard link, relative to the archive's top.
    public var hardLink: BytePath? {
        guard let name = unsafe archive_entry_hardlink_utf8(entry) ?? archive_entry_hardlink(entry) else { return nil }
        return unsafe ArchiveFile.path(name)
    }

    /// The target of a symbolic link, as stored.
    public var symbolicLink: BytePath? {
        guard let name = unsafe archive_entry_symlink_utf8(entry) ?? archive_entry_symlink(entry) else { return nil }
        return unsafe BytePath(UnsafeBufferPointer(start: name, count: strlen(name)).map { UInt8(bitPattern: $0) })
    }

    private static func path(_ name: UnsafePointer<CChar>) -> BytePath {
        unsafe BytePath(UnsafeBufferPointer(start: name, count: strlen(name)).map { UInt8(bitPattern: $0) }).normalized
    }

    public var mode: mode_t { unsafe archive_entry_filetype(entry) }

    /// Whether the member has holes, so that its bytes are not contiguous.
    public var isSparse: Bool { unsafe archive_entry_sparse_count(entry) > 0 }

    public var isEncrypted: Bool { unsafe archive_entry_is_encrypted(entry) != 0 }

    /// The size that the archive declares; it is not trustworthy.
    public var declaredSize: Int { unsafe Int(archive_entry_size(entry)) }

    /// The offset of the member's bytes in the archive; valid only for a plain tar.
    public var dataOffset: Int { unsafe Int(archive_filter_bytes(handle, 0)) }

    public var isTar: Bool { unsafe archive_format(handle) & ARCHIVE_FORMAT_BASE_MASK == ARCHIVE_FORMAT_TAR }

    public var isCompressed: Bool { unsafe archive_filter_code(handle, 0) != ARCHIVE_FILTER_NONE }

    public var isLZMA: Bool { unsafe archive_filter_code(handle, 0) == ARCHIVE_FILTER_LZMA }

    /// Reads the member's next bytes.
    ///
    /// - Returns: the number of bytes; less than the buffer's size only at the member's end.
    public func read(into buffer: inout [UInt8]) throws -> Int {
        try unsafe buffer.withUnsafeMutableBytes { try unsafe read(into: $0) }
    }

    /// The same for the caller's own memory.
    public func read(into bytes: UnsafeMutableRawBufferPointer) throws -> Int {
        var done = 0
        while done < bytes.count {
            let count = unsafe archive_read_data(handle, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            guard count >= 0 else {
                if isEncrypted { throw encrypted }
                throw broken("cannot be read")
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    public var encrypted: Failure {
        Failure(
            .data, path: path.description, location: memberPath.map { "member \($0)" }, "is encrypted",
            remedy: "unpack it with its password")
    }

    private func broken(_ what: String) -> Failure {
        if isMemoryShort { return outOfMemory }
        return Failure(
            .data, path: path.description, location: memberPath.map { "at member \($0)" }, "\(what): \(message)", remedy: "the archive is truncated or damaged")
    }
}

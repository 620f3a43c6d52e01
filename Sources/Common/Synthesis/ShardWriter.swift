import CArchive
import Platform
import ToolSupport

/// Writes a tar file.
///
/// Its bytes depend only on the members: no time, no user, mode 0644.
final class ShardWriter {
    private let path: String
    private let archive: OpaquePointer
    private var file: PrivateFolder.NewFile?
    /// The error of our callback from libarchive, which can only return a number.
    private var failure: Failure?

    /// - Parameter path: the name in messages.
    init(_ file: consuming PrivateFolder.NewFile, path: String) throws {
        guard let archive = archive_write_new() else { throw Failure(.software, path: path, "libarchive has no memory for it") }
        self.path = path
        self.archive = archive
        self.file = consume file
        archive_write_set_format_ustar(archive)
        archive_write_set_bytes_per_block(archive, 1 << 16)
        archive_write_set_bytes_in_last_block(archive, 1)
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(archive_write_open(archive, context, nil, { _, context, bytes, count in
            guard let context else { return -1 }
            return Unmanaged<ShardWriter>.fromOpaque(context).takeUnretainedValue().take(UnsafeRawBufferPointer(start: bytes, count: count))
        }, nil))
    }

    deinit { archive_write_free(archive) }

    /// Adds a regular file.
    func add(_ name: String, _ bytes: [UInt8]) throws {
        guard let entry = archive_entry_new() else { throw Failure(.software, path: path, "libarchive has no memory for a member") }
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, name)
        archive_entry_set_size(entry, Int64(bytes.count))
        archive_entry_set_filetype(entry, S_IFREG)
        archive_entry_set_perm(entry, 0o644)
        archive_entry_set_uid(entry, 0)
        archive_entry_set_gid(entry, 0)
        archive_entry_set_mtime(entry, 0, 0)
        try check(archive_write_header(archive, entry))
        let written = bytes.withUnsafeBytes { archive_write_data(archive, $0.baseAddress, $0.count) }
        guard written == bytes.count else {
            throw failure ?? Failure(.io, path: path, location: "member \(name)", "took \(written) of \(bytes.count) bytes")
        }
    }

    /// Writes the end of the archive and flushes the file.
    func finish() throws {
        try check(archive_write_close(archive))
        if let file = file.take() { try file.finish() }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard failure == nil else { return -1 }
        do {
            try file?.write(RawSpan(_unsafeBytes: bytes))
            return bytes.count
        } catch {
            failure = error as? Failure ?? Failure(.io, path: path, "\(error)")
            return -1
        }
    }

    private func check(_ status: CInt) throws {
        guard status != ARCHIVE_OK, status != ARCHIVE_WARN else { return }
        throw failure ?? Failure(.io, path: path, archive_error_string(archive).map { String(cString: $0) } ?? "libarchive cannot write it")
    }
}

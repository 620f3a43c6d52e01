import CArchive
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What lies in a tar or zip archive.
///
/// Of a plain tar only the places are noted, and pictures are read from the file when they are wanted. From a
/// compressed one, and a zip, nothing can be read out of order: its pictures are kept in memory, within a limit.
/// Members are never written anywhere; links and special files are passed over.
struct ArchiveListing {
    /// The most bytes of pictures kept in memory for one data set.
    static let memoryLimit = 2 << 30

    /// The pictures in the archive at `path`.
    ///
    /// - Parameters:
    ///   - number: its place among the data set's archives.
    ///   - held: bytes of pictures that are in memory already.
    static func pictures(in path: String, number: Int, held: Int) throws -> Listing {
        guard let status = FolderListing.status(path) else { throw Failure.errno(.noInput, path: path, "cannot look at it") }
        let size = Int(status.st_size)
        if size == 0 { throw Failure(.data, path: path, "is empty") }
        let archive = try ArchiveFile(path)
        var listing = Listing()
        listing.held = held
        var isPlain: Bool?
        while try archive.next() {
            if archive.memberIsFolder { continue }
            guard let name = archive.memberName, archive.memberIsFile, Listing.isPicture(name) else {
                listing.ignored += 1
                continue
            }
            let (offset, count) = (archive.dataOffset, archive.declaredSize)
            if isPlain == nil { isPlain = try archive.isPlainTar && dataLies(at: offset, size: size, archive, path: path) }
            if isPlain == true {
                guard count >= 0, offset >= 0, offset <= size, count <= size - offset else {
                    throw Failure(.data, path: path, place: "member \(name)", "ends early: \(count) bytes at \(offset) in a file of \(size)", remedy: "the archive is truncated; make or copy it again")
                }
                listing.members.append(Member(archive: path, name: name, place: .part(archive: number, offset: offset, count: count)))
            } else {
                let bytes = try archive.readData(limit: memoryLimit - listing.held) {
                    Failure(
                        .data, path: path,
                        "holds more than \(memoryLimit >> 30) GiB of pictures, which would have to be kept in memory because it is compressed",
                        remedy: "unpack it, or make it a plain tar")
                }
                listing.held += bytes.count
                listing.members.append(Member(archive: path, name: name, place: .memory(archive: number, bytes: bytes)))
            }
        }
        if archive.isPlainTar { try checkEnd(path, size: size) }
        return listing
    }

    /// Whether the member's bytes are where the position says, which is asked once for each archive.
    ///
    /// If they are not, the archive is of a kind that we do not know, and this throws: reading has begun by then.
    private static func dataLies(at offset: Int, size: Int, _ archive: ArchiveFile, path: String) throws -> Bool {
        let count = min(512, archive.declaredSize)
        guard count > 0, offset >= 0, offset <= size - count else { return true }
        var expected = [UInt8](repeating: 0, count: count)
        var found = expected
        let got = try archive.read(into: &expected)
        try SourceFile(path).read(&found, count: count, at: offset, place: "its first picture")
        guard got == count, found == expected else {
            throw Failure(.data, path: path, "is a tar of an unusual kind: its pictures are not where their headers say", remedy: "unpack it")
        }
        return true
    }

    /// A tar ends with empty blocks. libarchive takes one that is cut off between two members for whole.
    private static func checkEnd(_ path: String, size: Int) throws {
        let failure = Failure(.data, path: path, "does not end with an empty block as a tar does", remedy: "it is truncated; make or copy it again")
        guard size >= 512 else { throw failure }
        var block = [UInt8](repeating: 1, count: 512)
        try SourceFile(path).read(&block, count: 512, at: size - 512, place: "its end")
        guard block.allSatisfy({ $0 == 0 }) else { throw failure }
    }
}

/// An open archive, and the member that it stands at.
@safe final class ArchiveFile {
    private let path: String
    private let handle: OpaquePointer
    private var entry: OpaquePointer?

    init(_ path: String) throws {
        guard let handle = unsafe archive_read_new() else { throw Failure(.software, path: path, "libarchive does not start") }
        unsafe self.handle = handle
        self.path = path
        unsafe archive_read_support_format_tar(handle)
        unsafe archive_read_support_format_zip_seekable(handle)
        // Not all that there are: some start other programs.
        unsafe archive_read_support_filter_gzip(handle)
        unsafe archive_read_support_filter_bzip2(handle)
        unsafe archive_read_support_filter_xz(handle)
        unsafe archive_read_support_filter_lzma(handle)
        unsafe archive_read_support_filter_zstd(handle)
        unsafe archive_read_support_filter_lz4(handle)
        // Two tars one behind the other are read to the end of the second.
        unsafe archive_read_set_format_option(handle, "tar", "read_concatenated_archives", "1")
        guard unsafe archive_read_open_filename(handle, path, 1 << 16) == ARCHIVE_OK else {
            let kind: Failure.Kind = unsafe archive_errno(handle) > 0 && access(path, R_OK) != 0 ? .noInput : .data
            throw Failure(kind, path: path, "cannot be opened as a tar or zip archive: \(message)")
        }
    }

    deinit { unsafe archive_read_free(handle) }

    private var message: String {
        guard let text = unsafe archive_error_string(handle) else { return "unknown error" }
        return unsafe String(cString: text)
    }

    /// Goes to the next member; false at the end.
    func next() throws -> Bool {
        let status = unsafe archive_read_next_header(handle, &entry)
        if status == ARCHIVE_EOF { return false }
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN else { throw broken("cannot be read") }
        return true
    }

    /// Its path, without empty and "." parts; nil if that is not UTF-8.
    var memberName: String? {
        guard let name = unsafe archive_entry_pathname_utf8(entry) ?? archive_entry_pathname(entry),
            let text = unsafe String(validatingCString: name)
        else { return nil }
        return text.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    var memberIsFolder: Bool { unsafe archive_entry_filetype(entry).isFolder }

    var memberIsFile: Bool {
        unsafe archive_entry_filetype(entry).isFile && archive_entry_hardlink(entry) == nil && archive_entry_sparse_count(entry) == 0
    }

    /// What the archive says; not to be believed.
    var declaredSize: Int { unsafe Int(archive_entry_size(entry)) }

    /// Where in the archive the member's bytes begin. Of use in a plain tar alone.
    var dataOffset: Int { unsafe Int(archive_filter_bytes(handle, 0)) }

    /// A tar without compression.
    var isPlainTar: Bool {
        unsafe archive_format(handle) & ARCHIVE_FORMAT_BASE_MASK == ARCHIVE_FORMAT_TAR && archive_filter_code(handle, 0) == ARCHIVE_FILTER_NONE
    }

    /// Reads the member's next bytes.
    func read(into buffer: inout [UInt8]) throws -> Int {
        var done = 0
        while done < buffer.count {
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe archive_read_data(handle, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            }
            guard count >= 0 else { throw broken("cannot be read") }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// The member's bytes, however many it really has.
    func readData(limit: Int, tooMuch: () -> Failure) throws -> [UInt8] {
        var data: [UInt8] = []
        if declaredSize > 0 { data.reserveCapacity(min(declaredSize, 1 << 20, max(0, limit))) }
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try read(into: &piece)
            guard count <= limit - data.count else { throw tooMuch() }
            data += piece[..<count]
            if count < piece.count { return data }
        }
    }

    private func broken(_ what: String) -> Failure {
        Failure(.data, path: path, place: memberName.map { "at member \($0)" }, "\(what): \(message)", remedy: "the archive is truncated or damaged")
    }
}

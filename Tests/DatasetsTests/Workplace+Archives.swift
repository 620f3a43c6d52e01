import CArchive
import Datasets
import Foundation
import TestSupport
import Testing
import ToolSupport

extension Workplace {
    func write(_ bytes: [UInt8], to name: String) throws { try write(Data(bytes), to: name) }

    enum Format { case tar, ustar, gnutar, zip }

    /// Packs `members` in order. Those whose bytes are nil become links, alternately hard links to the first member and
    /// symbolic links to /etc/passwd.
    func pack(_ members: [(name: String, bytes: [UInt8]?)], as format: Format = .tar, compressed filter: Int32 = 0, into name: String) throws {
        let archive = archive_write_new()
        defer { archive_write_free(archive) }
        switch format {
        case .tar: archive_write_set_format_pax_restricted(archive)
        case .ustar: archive_write_set_format_ustar(archive)
        case .gnutar: archive_write_set_format_gnutar(archive)
        case .zip: archive_write_set_format_zip(archive)
        }
        archive_write_add_filter(archive, filter)
        try #require(archive_write_open_filename(archive, path(name)) == ARCHIVE_OK)
        for (number, member) in members.enumerated() {
            let entry = archive_entry_new()
            defer { archive_entry_free(entry) }
            archive_entry_set_pathname(entry, member.name)
            archive_entry_set_perm(entry, 0o644)
            if let bytes = member.bytes {
                archive_entry_set_filetype(entry, 0o100000)
                archive_entry_set_size(entry, Int64(bytes.count))
            } else if number % 2 == 0 {
                archive_entry_set_filetype(entry, 0o120000)
                archive_entry_set_symlink(entry, "/etc/passwd")
            } else {
                archive_entry_set_filetype(entry, 0o100000)
                archive_entry_set_hardlink(entry, members[0].name)
            }
            try #require(archive_write_header(archive, entry) == ARCHIVE_OK)
            if let bytes = member.bytes { try #require(archive_write_data(archive, bytes, bytes.count) == bytes.count) }
        }
        try #require(archive_write_close(archive) == ARCHIVE_OK)
    }
}

/// Bytes that differ for each name and begin like a JPEG; a data set does not check whether they are one.
func content(_ name: String) -> [UInt8] {
    var bytes: [UInt8] = [0xFF, 0xD8, 0xFF] + Array(" of \(name) ".utf8)
    bytes += (0..<700 + 13 * name.utf8.count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    return bytes
}

/// Name, label and bytes of every sample.
func contents(_ data: Dataset) throws -> [String] {
    try data.samples.indices.map { index in
        let buffer = try bytes(data, index), count = buffer.count
        let sample = data.samples[index]
        return "\(sample.name) \(sample.label) \(count) \(buffer.reduce(UInt64(14_695_981_039_346_656_037)) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 })"
    }
}

/// The bytes of sample `index`.
func bytes(_ data: Dataset, _ index: Int) throws -> [UInt8] {
    let reader = try data.reader(index)
    var bytes: [UInt8] = [], piece = [UInt8](repeating: 0, count: 500)
    while true {
        let count = try piece.withUnsafeMutableBytes { try reader.read(into: $0, at: bytes.count) }
        if count == 0 { return bytes }
        bytes += piece[..<count]
    }
}

/// The failure from opening `path`.
func failure(_ path: String) -> Failure? {
    #expect(throws: Failure.self) { try Dataset(path) }
    do { _ = try Dataset(path) } catch { return error as? Failure }
    return nil
}

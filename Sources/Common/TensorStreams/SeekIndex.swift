import ToolSupport

/// The sizes of a stream's frames, at the end of a file.
///
/// The layout is zstd's seekable format 0.1.0 (contrib/seekable_format/zstd_seekable_compression_format.md): a
/// skippable frame, which every decoder ignores, with two 32-bit sizes per frame, the number of frames, and a magic
/// number.
struct SeekIndex: Equatable {
    struct Entry: Equatable {
        var compressed: UInt32
        var content: UInt32
    }

    static let skippableMagic: UInt32 = 0x184D_2A5E
    static let seekableMagic: UInt32 = 0x8F92_EAB1
    private static let footerBytes = 9

    var entries: [Entry] = []

    var bytes: [UInt8] {
        var bytes = SeekIndex.skippableMagic.littleEndianBytes
        bytes += UInt32(entries.count * 8 + SeekIndex.footerBytes).littleEndianBytes
        for entry in entries { bytes += entry.compressed.littleEndianBytes + entry.content.littleEndianBytes }
        bytes += UInt32(entries.count).littleEndianBytes
        bytes.append(0)  // no checksums: the frames have their own
        bytes += SeekIndex.seekableMagic.littleEndianBytes
        return bytes
    }

    /// The byte offset of frame `number`.
    func offset(of number: Int) -> Int { entries[..<number].reduce(0) { $0 + Int($1.compressed) } }

    /// The index at the end of a regular file, or nil where the file does not end with one.
    ///
    /// - Throws: a ``Failure`` where there is an index that does not match the file.
    static func read(from source: ByteSource) throws -> SeekIndex? {
        guard let size = source.size, size >= 8 + footerBytes else { return nil }
        let footer = try source.bytes(of: size - footerBytes..<size)
        guard footer[5...].elementsEqual(seekableMagic.littleEndianBytes) else { return nil }
        func failure() -> Failure {
            Failure(.data, path: source.name, offset: size - footerBytes, "the index does not match the file", remedy: "make the file again")
        }
        let count = Int(word(footer, 0))
        let length = 8 + count * 8 + footerBytes
        guard footer[4] == 0, count < 1 << 27, length <= size else { throw failure() }
        let bytes = try source.bytes(of: size - length..<size)
        var index = SeekIndex()
        for entry in 0..<count {
            index.entries.append(Entry(compressed: word(bytes, 8 + 8 * entry), content: word(bytes, 12 + 8 * entry)))
        }
        guard index.bytes == bytes, index.offset(of: count) == size - length else { throw failure() }
        return index
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
    }
}

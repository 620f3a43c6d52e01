import ToolSupport

/// Checks the memory that a compressed archive requires for decompression.
///
/// libarchive keeps zstd's own limit of 128 MiB, but has none for xz, where it accepts what the header says, at most 4
/// GiB.
public enum DecompressionWindow {
    private static let limit = 128 << 20

    public static func check(_ path: BytePath) throws {
        let file = try SourceFile(path)
        var header = [UInt8](repeating: 0, count: 64)
        let count = try unsafe header.withUnsafeMutableBytes { unsafe try file.read($0, at: 0) }
        guard let window = size(Array(header[..<count])), window > limit else { return }
        throw Failure(
            .data, path: path.description, "needs \(window >> 20) MiB of memory to decompress, above the limit of \(limit >> 20) MiB",
            remedy: "compress it with a smaller dictionary, or unpack it")
    }

    /// The dictionary size of xz's first block, or of an `.lzma` file; nil for all others.
    static func size(_ header: [UInt8]) -> Int? {
        if header.starts(with: [0x5D, 0, 0]), header.count >= 13 {
            return (0..<4).reduce(0) { $0 | Int(header[1 + $1]) << (8 * $1) }
        }
        guard header.starts(with: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]) else { return nil }
        // The stream header has 12 bytes. The block header has its size, flags, two optional sizes, then for each
        // filter its number, the size of its properties, and the properties.
        var rest = header.dropFirst(13)
        func number() -> Int? {
            var value = 0, shift = 0
            while let byte = rest.popFirst() {
                value |= Int(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
                if shift > 49 { return nil }
            }
            return nil
        }
        guard let flags = rest.popFirst() else { return nil }
        for bit in [0x40, 0x80] as [UInt8] where flags & bit != 0 { _ = number() }
        for _ in 0...Int(flags & 3) {
            guard let filter = number(), let length = number() else { return nil }
            let properties = rest.prefix(length)
            rest = rest.dropFirst(length)
            if filter == 0x21, let bits = properties.first, bits <= 40 { return bits == 40 ? 1 << 32 : (2 | Int(bits & 1)) << (Int(bits) / 2 + 11) }
        }
        return nil
    }
}

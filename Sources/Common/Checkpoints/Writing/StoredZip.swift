public import ToolSupport

/// Writes a zip of uncompressed members, each starting at a multiple of 64 bytes, as PyTorch writes and maps them
/// (APPNOTE.TXT 6.3.10).
///
/// Equal members give equal bytes: all have the earliest time of the format, 1980. Numbers that do not fit into 32
/// bits use zip64.
public struct StoredZip {
    private struct Member {
        let name: [UInt8]
        let sum: UInt32
        let size, offset: Int
    }

    private var members: [Member] = []
    private let limit: Int
    private static let alignment = 64

    /// - Parameter limit: the smallest number that uses zip64.
    public init(limit: Int = 0xFFFF_FFFF) { self.limit = limit }

    /// Appends a member to `output`, which must contain nothing but this zip.
    public mutating func add(_ name: String, _ bytes: UnsafeRawBufferPointer, to output: inout OutputFile) throws {
        let member = unsafe Member(name: Array(name.utf8), sum: CRC32.of(bytes), size: bytes.count, offset: output.position)
        members.append(member)
        let isLong = member.size >= limit
        var header = numbers(4, 0x0403_4B50) + common(member, isLong: isLong) + numbers(2, member.name.count)
        // Extra fields: both sizes, and the padding for the alignment, under the identifier that PyTorch uses.
        let long = isLong ? numbers(2, 1) + numbers(2, 16) + numbers(8, member.size) + numbers(8, member.size) : []
        let start = member.offset + header.count + 2 + member.name.count + long.count + 4, padding = -start & (Self.alignment - 1)
        header += numbers(2, long.count + 4 + padding) + member.name + long
        header += Array("FB".utf8) + numbers(2, padding) + [UInt8](repeating: UInt8(ascii: "Z"), count: padding)
        try unsafe output.write(header.span.bytes)
        try unsafe output.write(bytes.bytes)
    }

    /// Writes the central directory, which ends the zip.
    public func end(_ output: inout OutputFile) throws {
        let start = output.position
        for member in members {
            let isLong = member.size >= limit, isFar = member.offset >= limit
            var extra: [UInt8] = []
            if isLong { extra += numbers(8, member.size) + numbers(8, member.size) }
            if isFar { extra += numbers(8, member.offset) }
            if !extra.isEmpty { extra = numbers(2, 1) + numbers(2, extra.count) + extra }
            // Made by a program of version 2.0 or 4.5; no comment, the first disk, no attributes.
            let entry = numbers(4, 0x0201_4B50) + numbers(2, isLong || isFar ? 45 : 20) + common(member, isLong: isLong, isFar: isFar)
                + numbers(2, member.name.count) + numbers(2, extra.count) + numbers(2, 0) + numbers(2, 0) + numbers(2, 0) + numbers(4, 0)
                + numbers(4, isFar ? 0xFFFF_FFFF : member.offset) + member.name + extra
            try unsafe output.write(entry.span.bytes)
        }
        let size = output.position - start, isLong = start >= limit || size >= limit || members.count >= 0xFFFF
        var end: [UInt8] = []
        if isLong {
            end += numbers(4, 0x0606_4B50) + numbers(8, 44) + numbers(2, 45) + numbers(2, 45) + numbers(4, 0) + numbers(4, 0)
            end += numbers(8, members.count) + numbers(8, members.count) + numbers(8, size) + numbers(8, start)
            end += numbers(4, 0x0706_4B50) + numbers(4, 0) + numbers(8, start + size) + numbers(4, 1)
        }
        let count = isLong ? 0xFFFF : members.count
        end += numbers(4, 0x0605_4B50) + numbers(2, 0) + numbers(2, 0) + numbers(2, count) + numbers(2, count)
        end += numbers(4, isLong ? 0xFFFF_FFFF : size) + numbers(4, isLong ? 0xFFFF_FFFF : start) + numbers(2, 0)
        try unsafe output.write(end.span.bytes)
    }

    /// The common part of both headers of a member: the required version, flags (UTF-8 names), method (stored), time
    /// and date, checksum, both sizes.
    private func common(_ member: Member, isLong: Bool, isFar: Bool = false) -> [UInt8] {
        let size = isLong ? 0xFFFF_FFFF : member.size
        return numbers(2, isLong || isFar ? 45 : 20) + numbers(2, 0x800) + numbers(2, 0) + numbers(2, 0) + numbers(2, 0x21) + numbers(4, Int(member.sum))
            + numbers(4, size) + numbers(4, size)
    }

    /// A little-endian number of `count` bytes.
    private func numbers(_ count: Int, _ value: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
}

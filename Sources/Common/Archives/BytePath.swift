/// A path as a file system or an archive has it: bytes, which need not be UTF-8, parts separated by `/`.
///
/// Paths are cut and compared as bytes: a Swift `Character` may join a `/` with what follows it (a combining mark, a joiner).
public struct BytePath: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let bytes: [UInt8]

    public static let separator = UInt8(ascii: "/")

    public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    public init(_ text: String) { bytes = Array(text.utf8) }

    public static func < (a: BytePath, b: BytePath) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    /// As text: a byte that is not UTF-8 is written as `\xE9`.
    public var description: String { BytePath.text(bytes[...]) }

    public func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try unsafe (bytes + [0]).withUnsafeBytes { try unsafe body($0.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped) }
    }

    public var parts: [ArraySlice<UInt8>] { bytes.split(separator: BytePath.separator) }

    /// The last part.
    public var name: ArraySlice<UInt8> { bytes[(bytes.lastIndex(of: BytePath.separator).map { $0 + 1 } ?? 0)...] }

    /// What comes before the last part; empty where there is nothing.
    public var folder: BytePath { BytePath(bytes[..<(bytes.lastIndex(of: BytePath.separator) ?? 0)]) }

    public var isInFolder: Bool { bytes.contains(BytePath.separator) }

    public var isEmpty: Bool { bytes.isEmpty }

    /// `self/other`; one of them may be empty.
    public func appending(_ other: BytePath) -> BytePath {
        isEmpty ? other : other.isEmpty ? self : BytePath(bytes + [BytePath.separator] + other.bytes)
    }

    /// Whether a file can have this path: Linux takes 4095 bytes, and 255 between two separators. Also what bounds the depth of a tree.
    public var fitsFileSystem: Bool { bytes.count < 4096 && parts.allSatisfy { $0.count < 256 } }

    /// Without empty parts and `.`, and with `..` followed as far as there is something before it.
    public var normalized: BytePath {
        var kept: [ArraySlice<UInt8>] = []
        for part in parts where part != [UInt8(ascii: ".")] {
            if part == [UInt8(ascii: "."), UInt8(ascii: ".")] { _ = kept.popLast() } else { kept.append(part) }
        }
        return BytePath(kept.joined(separator: [BytePath.separator]))
    }

    public static func text(_ bytes: ArraySlice<UInt8>) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var text = "", rest = bytes
        while let first = rest.first {
            // The shortest valid beginning is one character of Unicode.
            let scalar = (1...min(4, rest.count)).lazy.compactMap { String(validating: rest.prefix($0), as: UTF8.self) }.first
            text += scalar ?? "\\x" + String(first >> 4, radix: 16, uppercase: true) + String(first & 15, radix: 16, uppercase: true)
            rest = rest.dropFirst(scalar?.utf8.count ?? 1)
        }
        return text
    }
}

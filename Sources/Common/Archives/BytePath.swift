/// A path in a file system or an archive: bytes that need not be UTF-8, with components separated by `/`.
///
/// Paths are split and compared as bytes, because a Swift `Character` may combine a `/` with what follows it (a
/// combining mark, a joiner).
public struct BytePath: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let bytes: [UInt8]

    public static let separator = UInt8(ascii: "/")

    public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    public init(_ text: String) { bytes = Array(text.utf8) }

    public static func < (a: BytePath, b: BytePath) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }

    /// The path as text: a byte that is not UTF-8 is written as `\xE9`.
    public var description: String { BytePath.text(bytes[...]) }

    public func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try unsafe (bytes + [0]).withUnsafeBytes { try unsafe body($0.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped) }
    }

    public var parts: [ArraySlice<UInt8>] { bytes.split(separator: BytePath.separator) }

    /// The last component.
    public var name: ArraySlice<UInt8> { bytes[(bytes.lastIndex(of: BytePath.separator).map { $0 + 1 } ?? 0)...] }

    /// The path without its last component; empty where there is only one.
    public var folder: BytePath { BytePath(bytes[..<(bytes.lastIndex(of: BytePath.separator) ?? 0)]) }

    public var isInFolder: Bool { bytes.contains(BytePath.separator) }

    public var isEmpty: Bool { bytes.isEmpty }

    /// `self/other`; either may be empty.
    public func appending(_ other: BytePath) -> BytePath {
        isEmpty ? other : other.isEmpty ? self : BytePath(bytes + [BytePath.separator] + other.bytes)
    }

    /// Whether a file can have this path: Linux allows 4095 bytes, and 255 between two separators. It also bounds the
    /// depth of a tree.
    public var fitsFileSystem: Bool { bytes.count < 4096 && parts.allSatisfy { $0.count < 256 } }

    /// The path without empty components and `.`, and with `..` resolved where a component precedes it.
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
            // The shortest valid prefix is one Unicode scalar.
            let scalar = (1...min(4, rest.count)).lazy.compactMap { String(validating: rest.prefix($0), as: UTF8.self) }.first
            text += scalar ?? "\\x" + String(first >> 4, radix: 16, uppercase: true) + String(first & 15, radix: 16, uppercase: true)
            rest = rest.dropFirst(scalar?.utf8.count ?? 1)
        }
        return text
    }
}

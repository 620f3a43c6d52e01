public import Foundation

/// A change to a file, as disks, networks and people cause it.
public struct Damage: CustomStringConvertible {
    /// The kind, as named in the tallies of ``Effort/report(_:)``.
    public enum Kind: String, CaseIterable, Sendable { case cut, flip, overwrite, zeros, insertion, removal, repetition }

    public let kind: Kind
    let offset: Int
    /// The number of affected bytes, or the bit.
    let count: Int
    let bytes: [UInt8]

    public init(_ kind: Kind, offset: Int, count: Int = 0, bytes: [UInt8] = []) {
        (self.kind, self.offset, self.count, self.bytes) = (kind, offset, count, bytes)
    }

    /// - Parameter size: the size of the file, at least 1.
    public static func random(size: Int, _ kinds: [Kind] = Kind.allCases, using random: inout some RandomNumberGenerator) -> Damage {
        let kind = kinds.randomElement(using: &random) ?? .flip
        // Headers and end records contain most of what is parsed, but few of the bytes.
        let near = min(size, 1 << Int.random(in: 0...12, using: &random))
        let offset = switch Int.random(in: 0..<3, using: &random) {
        case 0: Int.random(in: 0..<near, using: &random)
        case 1: size - 1 - Int.random(in: 0..<near, using: &random)
        default: Int.random(in: 0..<size, using: &random)
        }
        let count = kind == .flip ? Int.random(in: 0..<8, using: &random) : min(1 << Int.random(in: 0...12, using: &random), size - offset)
        let writes = kind == .overwrite || kind == .insertion
        return Damage(kind, offset: offset, count: count, bytes: writes ? (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } : [])
    }

    public func apply(to whole: Data) -> Data {
        var file = [UInt8](whole)
        let range = offset..<min(offset + count, file.count)
        switch kind {
        case .cut: file.removeSubrange(offset...)
        case .flip: file[offset] ^= 1 << UInt8(count)
        case .overwrite: file.replaceSubrange(range, with: bytes)
        case .zeros: file.replaceSubrange(range, with: repeatElement(0, count: range.count))
        case .insertion: file.insert(contentsOf: bytes, at: offset)
        case .removal: file.removeSubrange(range)
        case .repetition: file.insert(contentsOf: Array(file[range]), at: offset)
        }
        return Data(file)
    }

    public var description: String { kind == .flip ? "bit \(count) of byte \(offset) flipped" : kind == .cut ? "cut at byte \(offset)" : "\(kind) of \(count) at byte \(offset)" }
}

/// How often each kind of something was tried.
public struct Tally: CustomStringConvertible {
    private var counts: [String: Int] = [:]

    public init() {}
    public mutating func add(_ kind: String, _ count: Int = 1) { counts[kind, default: 0] += count }
    public subscript(kind: String) -> Int { counts[kind, default: 0] }
    public var description: String { counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ") }
}

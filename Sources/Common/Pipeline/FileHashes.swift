import Archives
import Datasets
import TensorStreams
import ToolSupport

/// The hash of an image or of a file, and whether it is an image with a broken header.
struct ContentHash: Equatable {
    let value: UInt64
    var isBroken = false

    init(_ value: UInt64, isBroken: Bool = false) { (self.value, self.isBroken) = (value, isBroken) }

    /// At most thirteen digits. A `String` of up to fifteen bytes needs no heap memory.
    var text: String { String(value, radix: 36) + (isBroken ? "!" : "") }

    init?(_ text: some StringProtocol) {
        isBroken = text.hasSuffix("!")
        guard let value = UInt64(isBroken ? String(text.dropLast()) : String(text), radix: 36) else { return nil }
        self.value = value
    }
}

/// Hashes of file contents, indexed by the files' stamps, so that unchanged files are not read again.
///
/// A file with many images has a hash for each, in entries of up to 1024 images. The key of an entry is a hash of the
/// file's name in its data, its stamp, and which of its images the entry holds. An entry of one image takes about fifty
/// bytes in memory and forty on disk, independent of the names, and the file grows with the data. Two of a million keys
/// collide with a probability of about 3·10⁻⁸.
///
/// The file in the run's folder is a cache: if it is missing, truncated or of another version, everything is read.
struct FileHashes {
    /// The file's name in the run's folder.
    static let file = "data/hashes"
    private static let end = "end of hashes, 2"
    /// The maximum number of images in an entry.
    private static let group = 1024

    private var known: [UInt64: String] = [:]
    private var used: [UInt64: String] = [:]

    init(reading path: String?) {
        guard let path else { return }
        do {
            _ = try TextFile.forEachLine(path, end: FileHashes.end) { line in
                let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 1)
                guard parts.count == 2, let key = UInt64(String(decoding: parts[0], as: UTF8.self), radix: 36) else { return }
                known[key] = String(decoding: parts[1], as: UTF8.self)
            }
        } catch {
            known = [:]
        }
    }

    /// The hashes of a file whose stamp had this mark; nil unless they are known for all of its `count` images.
    mutating func hashes(of name: BytePath, _ mark: UInt64?, count: Int) -> [ContentHash]? {
        guard let mark else { return nil }
        var hashes: [ContentHash] = [], entries: [(UInt64, String)] = []
        for start in stride(from: 0, to: count, by: FileHashes.group) {
            let key = FileHashes.key(name, mark, count: count, start: start)
            guard let text = used[key] ?? known[key] else { return nil }
            let values = text.split(separator: ",").map { ContentHash($0) }
            guard values.count == min(FileHashes.group, count - start), !values.contains(nil) else { return nil }
            hashes += values.compactMap(\.self)
            entries.append((key, text))
        }
        for (key, text) in entries { used[key] = text }
        return hashes
    }

    /// Records the hashes of a file at `path` that had `stamp` before it was read.
    mutating func keep(_ hashes: [ContentHash], of name: BytePath, at path: BytePath, _ stamp: FileStamp?) {
        guard let stamp, stamp.isSettled, FileStamp(path) == stamp else { return }
        for start in stride(from: 0, to: hashes.count, by: FileHashes.group) {
            let part = hashes[start..<min(start + FileHashes.group, hashes.count)]
            used[FileHashes.key(name, stamp.mark, count: hashes.count, start: start)] = part.map(\.text).joined(separator: ",")
        }
    }

    /// Writes the hashes that were used or recorded since this was created.
    ///
    /// - Parameter all: whether to write known but unused hashes too.
    func save(to path: String, all: Bool = false) throws {
        let entries = all ? known.merging(used) { $1 } : used
        if entries == known, FileStamp(path) != nil { return }
        var keys = entries.keys.sorted().makeIterator()
        try TextFile.write(to: path, end: FileHashes.end) {
            keys.next().map { Array("\(String($0, radix: 36)) \(entries[$0, default: ""])".utf8) }
        }
    }

    private static func key(_ name: BytePath, _ mark: UInt64, count: Int, start: Int) -> UInt64 {
        var hash = XXH64()
        // The name comes last because only it has a variable length.
        unsafe [mark, UInt64(count), UInt64(start)].withUnsafeBytes { unsafe hash.update($0) }
        unsafe name.bytes.withUnsafeBytes { unsafe hash.update($0) }
        return hash.value
    }
}

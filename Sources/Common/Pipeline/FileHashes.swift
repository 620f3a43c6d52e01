import Archives
import Datasets
import TensorStreams
import ToolSupport

/// The hash of an image or of a file, and whether it is an image with a broken header.
struct ContentHash: Equatable {
    let value: UInt64
    var isBroken = false

    init(_ value: UInt64, isBroken: Bool = false) { (self.value, self.isBroken) = (value, isBroken) }

    /// Thirteen digits at most: a `String` of up to fifteen bytes takes no memory besides its own.
    var text: String { String(value, radix: 36) + (isBroken ? "!" : "") }

    init?(_ text: some StringProtocol) {
        isBroken = text.hasSuffix("!")
        guard let value = UInt64(isBroken ? String(text.dropLast()) : String(text), radix: 36) else { return nil }
        self.value = value
    }
}

/// Hashes of files' contents, by the stamps that the files had, so that what has not changed is not read again.
///
/// A file of many images has a hash for each, some of them to an entry. An entry's key is a hash of the file's name in its data, its stamp and which of
/// its images it has; an entry takes some fifty bytes in memory and forty on the disk, whatever the names are, and the file may grow as the data does. Two
/// of a million keys are the same in one of ten million data sets.
///
/// The file in the run's folder is a help: where it is missing, cut or of another version, everything is read.
struct FileHashes {
    /// Its name in the run's folder.
    static let file = "data/hashes"
    private static let end = "end of hashes, 2"
    /// Images of an entry.
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

    /// What was kept for the file when its stamp had this mark; nil where that is not known for each of its `count` images.
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

    /// Keeps the hashes of a file at `path` that had `stamp` before it was read.
    mutating func keep(_ hashes: [ContentHash], of name: BytePath, at path: BytePath, _ stamp: FileStamp?) {
        guard let stamp, stamp.isSettled, FileStamp(path) == stamp else { return }
        for start in stride(from: 0, to: hashes.count, by: FileHashes.group) {
            let part = hashes[start..<min(start + FileHashes.group, hashes.count)]
            used[FileHashes.key(name, stamp.mark, count: hashes.count, start: start)] = part.map(\.text).joined(separator: ",")
        }
    }

    /// Writes what was asked for or kept since this was made.
    ///
    /// - Parameter all: also what was known and not asked for.
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
        // The name comes last: it alone has no fixed length.
        unsafe [mark, UInt64(count), UInt64(start)].withUnsafeBytes { unsafe hash.update($0) }
        unsafe name.bytes.withUnsafeBytes { unsafe hash.update($0) }
        return hash.value
    }
}

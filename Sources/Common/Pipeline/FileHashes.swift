import ToolSupport

/// Hashes of files' contents, kept with the stamps that the files had, so that what has not changed is not read again.
///
/// The file in the run's folder has a line for each: its stamp, the hashes, the path. It is a help: where it is missing or cut, everything is read.
struct FileHashes {
    private static let end = "end of hashes"

    private struct Entry {
        var stamp: String
        var value: String
    }

    private var entries: [String: Entry] = [:]
    private var used: [String: Entry] = [:]

    init(reading path: String?) {
        guard let path, let lines = try? TextFile.read(path, end: FileHashes.end) else { return }
        for line in lines {
            // size mtime ctime inode hashes path
            let parts = line.parts(" ", most: 6)
            guard parts.count == 6 else { continue }
            entries[TextFile.unescaped(parts[5])] = Entry(stamp: parts[..<4].joined(separator: " "), value: parts[4])
        }
    }

    /// What was kept for the file at `path` when it had this stamp.
    mutating func value(of path: String, _ stamp: FileStamp?) -> String? {
        guard let stamp, let entry = entries[path], entry.stamp == stamp.text else { return nil }
        used[path] = entry
        return entry.value
    }

    /// Keeps `value`, a word, for a file that had `stamp` before it was read.
    mutating func keep(_ value: String, of path: String, _ stamp: FileStamp?) {
        guard let stamp, stamp.isSettled, FileStamp(path) == stamp else { return }
        used[path] = Entry(stamp: stamp.text, value: value)
    }

    /// Writes what was asked for since this was made.
    func save(to path: String) throws {
        let lines = used.map { "\($1.stamp) \($1.value) \(TextFile.escaped($0))" }
        try TextFile.write(lines.sorted(), end: FileHashes.end, to: path)
    }
}

import Archives
import Datasets
import TensorStreams
import ToolSupport

/// A list of the files of some data, with the marks of their stamps: the state that plan saw, for later comparison.
///
/// It consists of names and stamps only, so making it lists folders but reads no files. Names are written by
/// ``TextFile/escaped(_:)`` and sorted in that form.
struct FileList {
    enum Change {
        case added, removed
        /// The file had this mark before.
        case changed(from: UInt64)
    }

    private static let end = "end of files"
    private var files: [(name: [UInt8], mark: UInt64)] = []

    /// The files of a folder that are or may contain images, or the single file at `path`.
    init(of path: String) throws {
        let root = BytePath(path)
        for name in try Dataset.sources(in: path) {
            guard let stamp = FileStamp(root.appending(name)) else { continue }
            files.append((TextFile.escaped(name.bytes), stamp.mark))
        }
        files.sort { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// The files of teachers: a single teacher by its file, several by their resolved paths.
    init(ofTeachers paths: [String]) throws { self = try paths.count == 1 ? FileList(of: paths[0]) : FileList(of: paths.map { try RunFolder.resolved($0) }) }

    /// Makes a list of files by their paths.
    init(of paths: [String]) {
        for path in paths {
            guard let stamp = FileStamp(path) else { continue }
            files.append((TextFile.escaped(Array(path.utf8)), stamp.mark))
        }
        files.sort { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// The entries whose paths are among `paths`.
    func only(_ paths: [String]) -> FileList {
        let names = Set(paths.map { TextFile.escaped(Array($0.utf8)) })
        var list = self
        list.files.removeAll { !names.contains($0.name) }
        return list
    }

    /// Writes the list, unless the file already holds it.
    func save(to path: String) throws {
        if (try? changes(since: path))?.isEmpty == true { return }
        var rest = files.makeIterator()
        try TextFile.write(to: path, end: FileList.end) {
            rest.next().map { Array("\(String($0.mark, radix: 36)) ".utf8) + $0.name }
        }
    }

    /// The differences from the list at `path`, ordered by name.
    ///
    /// - Throws: ``Failure`` if there is no such list.
    func changes(since path: String) throws -> [(name: BytePath, change: Change)] {
        var changes: [(name: BytePath, change: Change)] = []
        var next = 0
        func add(upTo name: [UInt8]?) {
            while next < files.count, name.map({ files[next].name.lexicographicallyPrecedes($0) }) ?? true {
                changes.append((BytePath(TextFile.unescaped(files[next].name)), .added))
                next += 1
            }
        }
        let isThere = try TextFile.forEachLine(path, end: FileList.end) { line in
            let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let mark = UInt64(String(decoding: parts[0], as: UTF8.self), radix: 36) else {
                throw Failure(.data, path: path, "is not a list of files")
            }
            let name = Array(parts[1])
            add(upTo: name)
            guard next < files.count, files[next].name == name else {
                changes.append((BytePath(TextFile.unescaped(name)), .removed))
                return
            }
            if files[next].mark != mark { changes.append((BytePath(TextFile.unescaped(name)), .changed(from: mark))) }
            next += 1
        }
        guard isThere else { throw Failure(.noInput, path: path, "does not exist") }
        add(upTo: nil)
        return changes
    }
}

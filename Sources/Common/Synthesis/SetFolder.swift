import Parallel
import Platform
import ToolSupport

/// A folder of tar files with an ``ImageSet``: `train/train-000.tar` …, `test/test-000.tar` …, and `classes.txt`.
///
/// It is written to a temporary folder that is then renamed: under its name the set is either complete or absent. An
/// earlier set is replaced atomically; one that another process has created in the meantime is kept.
public struct SetFolder {
    private let path: String
    private let set: ImageSet
    /// The files in the folders of the set.
    private let names: [String: [String]]

    private static let list = "classes.txt"

    public init(_ path: String, _ set: ImageSet, shards: Int) {
        // A link to a folder is kept, and the set is written to its target.
        self.path = SetFolder.resolved(path)
        self.set = set
        names = Dictionary(uniqueKeysWithValues: ImageSet.Split.allCases.map { split in
            ("\(split)", (0..<shards).map { "\(split)-\(SetFolder.padded($0, 3)).tar" })
        })
    }

    private static func resolved(_ path: String) -> String {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK, let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// Draws the images of each split.
    ///
    /// - Parameter progress: called with the number of images drawn since the last call.
    /// - Throws: a ``Failure`` when something cannot be created or written; the folder is then unchanged.
    public func write(train: Int, test: Int, progress: (Int) -> Void) throws {
        try refuseOthers()
        let folder = try PrivateFolder(path)
        for (split, count) in [(ImageSet.Split.train, train), (.test, test)] {
            try folder.makeFolder("\(split)")
            let files = names["\(split)"] ?? []
            for (shard, name) in files.enumerated() {
                let writer = try ShardWriter(folder.makeFile("\(split)/\(name)"), path: "\(path)/\(split)/\(name)")
                try fill(writer, split, Parallel.part(shard, of: files.count, in: count), progress)
                try writer.finish()
            }
        }
        let list = try folder.makeFile(SetFolder.list)
        try list.write(Array(set.classes.map { "\($0.name)\n" }.joined().utf8).span.bytes)
        try list.finish()
        switch try folder.commit() {
        case .done: break
        case .exchanged: removeSet(in: folder.path)
        case .overtaken:
            // It may be the same set, written for example by a child that a killed process left behind.
            guard isEqual(folder.path, path) else {
                throw Failure(.cannotCreate, path: path, "was made by another program in the meantime, and is a different set", remedy: "run it again, or name another folder")
            }
        }
    }

    /// Adds the images `numbers` to a shard, in chunks of 256.
    private func fill(_ writer: ShardWriter, _ split: ImageSet.Split, _ numbers: Range<Int>, _ progress: (Int) -> Void) throws {
        var start = numbers.lowerBound
        while start < numbers.upperBound {
            let stretch = start..<min(numbers.upperBound, start + 256)
            for (number, file) in zip(stretch, try set.files(split, stretch)) {
                try writer.add("\(set.kind(of: number).name)/\(SetFolder.padded(number, 5)).jpg", file)
            }
            progress(stretch.count)
            start = stretch.upperBound
        }
    }

    /// The paths in a set, folders after their contents.
    private var contents: [String] {
        names.keys.sorted().flatMap { folder in (names[folder] ?? []).map { "\(folder)/\($0)" } + [folder] } + [SetFolder.list]
    }

    /// Only a set with the same files may be replaced: a tar file of another set would be read as part of this one, and
    /// any other file belongs to the user.
    private func refuseOthers() throws {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        for (folder, known) in [("", names.keys + [SetFolder.list])] + names.sorted(by: { $0.key < $1.key }).map({ ("/" + $0, $1) }) {
            let folder = path + folder
            guard let entries = opendir(folder) else {
                if errno == ENOENT { continue }
                throw Failure.errno(.cannotCreate, path: folder, "cannot open the folder")
            }
            defer { closedir(entries) }
            var others: [String] = []
            while let entry = readdir(entries) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
                if name != ".", name != "..", !known.contains(name) { others.append(name) }
            }
            if let other = others.min() {
                throw Failure(.cannotCreate, path: "\(folder)/\(other)", "is not part of this set", remedy: "remove it or name another folder")
            }
        }
    }

    /// Removes the earlier set, which is now in a folder with a name of this process. Any other files in it are kept.
    private func removeSet(in folder: String) {
        for name in contents where unlink("\(folder)/\(name)") != 0 { rmdir("\(folder)/\(name)") }
        rmdir(folder)
    }

    /// Whether two folders hold the same set.
    private func isEqual(_ a: String, _ b: String) -> Bool {
        contents.allSatisfy { name in
            names[name] != nil || SetFolder.haveEqualBytes("\(a)/\(name)", "\(b)/\(name)")
        }
    }

    private static func haveEqualBytes(_ a: String, _ b: String) -> Bool {
        guard let one = fopen(a, "rb") else { return false }
        defer { fclose(one) }
        guard let other = fopen(b, "rb") else { return false }
        defer { fclose(other) }
        var (left, right) = ([UInt8](repeating: 0, count: 1 << 16), [UInt8](repeating: 0, count: 1 << 16))
        while true {
            let count = fread(&left, 1, left.count, one)
            guard fread(&right, 1, right.count, other) == count, left[..<count] == right[..<count] else { return false }
            if count < left.count { return ferror(one) == 0 && ferror(other) == 0 }
        }
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

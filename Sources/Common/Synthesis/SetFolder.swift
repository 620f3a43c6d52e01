import ToolSupport
import Parallel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A folder of tar files that hold a ``PictureSet``: `train/train-000.tar` …, `test/test-000.tar` …, and `classes.txt`.
///
/// Nothing shows before all is drawn. `classes.txt` comes last, so that it tells a script that the rest is there.
public struct SetFolder {
    private let path: String
    /// The folders this run made, to be removed when it fails.
    private var made: [String] = []

    public init(_ path: String) { self.path = path }

    /// Draws `counts` pictures of each split into `shards` tar files each.
    ///
    /// - Parameter progress: is given the number of pictures done since its last call.
    /// - Throws: ``Failure`` when something cannot be created or written; the folder is then as it was.
    public mutating func write(_ set: PictureSet, train: Int, test: Int, shards: Int, progress: (Int) -> Void) throws {
        var committed: [String] = []
        do {
            var writers: [ShardWriter] = []
            try makeFolder(path)
            for (split, count) in [(PictureSet.Split.train, train), (.test, test)] {
                let folder = "\(path)/\(split)"
                try makeFolder(folder)
                let names = (0..<shards).map { "\(split)-\(SetFolder.padded($0, 3)).tar" }
                try refuseOthers(in: folder, than: names)
                for (shard, name) in names.enumerated() {
                    let writer = try ShardWriter("\(folder)/\(name)")
                    writers.append(writer)
                    try SetFolder.fill(writer, set, split, Parallel.part(shard, of: shards, in: count), progress)
                }
            }
            var list = try OutputFile("\(path)/classes.txt")
            try list.write(set.classes.map { "\($0.name)\n" }.joined())
            for writer in writers {
                try writer.commit()
                committed.append(writer.path)
            }
            try list.commit()
        } catch {
            for file in committed { unlink(file) }
            for folder in made.reversed() { rmdir(folder) }
            throw error
        }
    }

    /// Adds the pictures `numbers` to a shard, some hundreds at a time.
    private static func fill(_ writer: ShardWriter, _ set: PictureSet, _ split: PictureSet.Split, _ numbers: Range<Int>, _ progress: (Int) -> Void) throws {
        var start = numbers.lowerBound
        while start < numbers.upperBound {
            let stretch = start..<min(numbers.upperBound, start + 256)
            for (number, file) in zip(stretch, try set.files(split, stretch)) {
                try writer.add("\(set.kind(of: number).name)/\(padded(number, 5)).jpg", file)
            }
            progress(stretch.count)
            start = stretch.upperBound
        }
    }

    private mutating func makeFolder(_ folder: String) throws {
        if mkdir(folder, 0o777) == 0 {
            made.append(folder)
        } else if errno != EEXIST {
            throw Failure.errno(.cannotCreate, path: folder, "cannot create the folder")
        }
    }

    /// A tar file of an earlier run with more shards would be read as part of this set.
    private func refuseOthers(in folder: String, than names: [String]) throws {
        guard let entries = opendir(folder) else { throw Failure.errno(.cannotCreate, path: folder, "cannot open the folder") }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".tar"), !names.contains(name) {
                throw Failure(.cannotCreate, path: "\(folder)/\(name)", "is not of this set", remedy: "remove it or name another folder")
            }
        }
    }

    private static func padded(_ number: Int, _ digits: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

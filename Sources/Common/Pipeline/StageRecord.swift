import Platform
import TensorStreams
import ToolSupport

/// The record of a finished stage, in `done/STAGE`: its fingerprint and the files it made.
///
///     fingerprint 4f1d… (16 digits)
///     version 0.1.0
///     schedule 24
///     file HASH SIZE MTIME CTIME INODE NAME
///     end of stage
///
/// It is written last, after the stage's files are on disk. make only checks whether it exists.
struct StageRecord: Equatable {
    struct File: Equatable {
        let name: String
        let hash: String
        var stamp: String
    }

    var fingerprint: String
    var schedule: Int?
    var version = productVersion
    var files: [File]

    private static let end = "end of stage"

    static func path(_ stage: String, in folder: String) -> String { "\(folder)/done/\(stage)" }

    /// Nil if there is no record, or it is truncated.
    init?(reading stage: String, in folder: String) {
        guard let lines = try? TextFile.read(StageRecord.path(stage, in: folder), end: StageRecord.end) else { return nil }
        var fields: [String: String] = [:]
        files = []
        for line in lines {
            let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            if parts[0] == "file" {
                let words = parts[1].split(separator: " ", maxSplits: 5).map(String.init)
                guard words.count == 6 else { return nil }
                files.append(File(name: words[5], hash: words[0], stamp: words[1...4].joined(separator: " ")))
            } else {
                fields[parts[0]] = parts[1]
            }
        }
        guard let fingerprint = fields["fingerprint"], let version = fields["version"] else { return nil }
        self.fingerprint = fingerprint
        self.version = version
        schedule = fields["schedule"].flatMap { Int($0) }
    }

    init(fingerprint: String, schedule: Int?, files: [File]) {
        self.fingerprint = fingerprint
        self.schedule = schedule
        self.files = files
    }

    /// Makes the record of a stage that has just finished, and hashes the files it made.
    ///
    /// - Throws: ``Failure`` if one of them does not exist.
    init(fingerprint: String, schedule: Int?, outputs: [String], in folder: String) throws {
        let names = outputs.flatMap { name in
            name.hasSuffix("/") ? StageRecord.files(below: String(name.dropLast()), in: folder).filter(\.isRegular).map(\.name) : [name]
        }
        files = try names.map { name in
            let path = folder + "/" + name
            guard let stamp = FileStamp(path) else { throw Failure(.data, path: path, "should have been made, but is missing") }
            return File(name: name, hash: try XXH64.ofFile(path), stamp: stamp.text)
        }
        self.fingerprint = fingerprint
        self.schedule = schedule
    }

    func save(_ stage: String, in folder: String) throws {
        var lines = ["fingerprint \(fingerprint)", "version \(version)"]
        if let schedule { lines.append("schedule \(schedule)") }
        lines += files.map { "file \($0.hash) \($0.stamp) \($0.name)" }
        try TextFile.write(lines, end: StageRecord.end, to: StageRecord.path(stage, in: folder))
    }

    /// Whether the files are those that `stage` makes. The record is not trusted, because anybody may have written it.
    func belongs(to stage: Stage) -> Bool {
        files.allSatisfy { file in
            stage.outputs.contains { output in
                output.hasSuffix("/") ? file.name.hasPrefix(output) && !file.name.split(separator: "/").contains("..") : file.name == output
            }
        }
    }

    /// Everything in the stage's folders that is not recorded: files, links, and whatever else may be read as data.
    func unrecorded(of stage: Stage, in folder: String) -> [String] {
        let recorded = Set(files.map(\.name))
        let names = stage.outputs.filter { $0.hasSuffix("/") }.flatMap { StageRecord.files(below: String($0.dropLast()), in: folder).map(\.name) }
        return names.filter { !recorded.contains($0) }
    }

    enum Condition: Equatable {
        case whole
        /// A file does not exist.
        case missing
        /// A file exists, but its bytes are not those that the stage made.
        case damaged(String)
    }

    /// The present condition of the files. Files with changed stamps are read; if their contents are unchanged, `self`
    /// gets the new stamps.
    mutating func condition(in folder: String) -> Condition {
        // A stage that counts as finished because nothing needs it has no files.
        var condition = files.isEmpty ? Condition.missing : .whole
        for index in files.indices {
            let path = folder + "/" + files[index].name
            guard let stamp = FileStamp(path) else {
                condition = .missing
                continue
            }
            if stamp.text == files[index].stamp { continue }
            guard (try? XXH64.ofFile(path)) == files[index].hash else { return .damaged(files[index].name) }
            files[index].stamp = stamp.text
        }
        return condition
    }

    /// Everything below a folder except folders, by its name in the run's folder, sorted. Links are not followed, and
    /// hidden names are ignored.
    private static func files(below name: String, in folder: String) -> [(name: String, isRegular: Bool)] {
        var found: [(name: String, isRegular: Bool)] = []
        for member in FolderNames.all(in: folder + "/" + name) where !member.hasPrefix(".") {
            var status = stat()
            guard unsafe lstat("\(folder)/\(name)/\(member)", &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                found += files(below: "\(name)/\(member)", in: folder)
            } else {
                found.append(("\(name)/\(member)", status.st_mode & S_IFMT == S_IFREG))
            }
        }
        return found.sorted { $0.name < $1.name }
    }
}

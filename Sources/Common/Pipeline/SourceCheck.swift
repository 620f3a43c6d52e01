import Archives
import Datasets
import TensorStreams
import ToolSupport

/// Whether what a stage has read is still what plan saw before it: else nobody knows which of the two it has learnt from.
///
/// Files' names and stamps are compared, which costs a listing. Only where they differ contents are, of the files that differ: data that was
/// touched, or copied over itself, is the same data.
struct SourceCheck {
    let stage: String
    /// The run's.
    let folder: String
    /// Whether TEST is given, and is not a part of DATA.
    let hasTest: Bool
    /// The teachers that are given.
    let teachers: [GivenTeacher]
    /// The teacher where it is a program.
    let program: TeacherProgram.Definition?

    /// - Throws: ``Failure`` `data` that names a file.
    func check(_ sources: [Source]) throws {
        for source in sources {
            let difference: Failure?
            do {
                difference = try self.difference(source)
            } catch let failure as Failure {
                // What cannot be opened any more was fine before.
                difference = Failure(.data, path: failure.path, "\(failure.what): it has changed while make was at work, so that \(stage) is not taken for done", remedy: "run make again")
            }
            if let difference { throw difference }
        }
    }

    /// What has changed; nil for nothing but stamps.
    private func difference(_ source: Source) throws -> Failure? {
        let link = "\(folder)/\(source.link)", seen = "\(folder)/\(source.list)"
        let program = source == .teacher ? program : nil
        let links = source == .teacher && program == nil ? teachers.map { (name: $0.name, path: "\(folder)/\($0.link)") } : []
        let files = try program.map { FileList(of: $0.files) } ?? (links.isEmpty ? FileList(of: link) : FileList(ofTeachers: links.map(\.path)))
        let changes = try files.changes(since: seen)
        guard !changes.isEmpty else { return nil }
        var known = FileHashes(reading: "\(folder)/\(FileHashes.file)")
        let before = known
        let now = switch source {
        case .teacher:
            Contents(identity: try program?.hash(known: &known) ?? GivenTeacher.identity(links.map { try Teacher.identity(of: $0.path, as: $0.name, known: &known) })) { _ in nil }
        case .from: Contents(identity: try Teacher.identity(of: link, as: source.rawValue, known: &known)) { _ in nil }
        case .train, .test: try images(source, known: &known)
        }
        // The files of a program are listed by whole paths, and so are those of several teachers.
        let root = program == nil && links.count < 2 ? BytePath((try? RunFolder.resolved(link)) ?? link) : nil
        guard now.identity == Identity(in: folder)?.of(source) else { return changed(changes, now, before, root) }
        // The next stage has nothing to look into.
        try known.save(to: "\(folder)/\(FileHashes.file)", all: true)
        try files.save(to: seen)
        return nil
    }

    /// What a source holds now.
    private struct Contents {
        let identity: String
        /// Of a file by its name; nil where it holds nothing that is read.
        let hashes: (BytePath) -> [ContentHash]?
    }

    private func images(_ source: Source, known: inout FileHashes) throws -> Contents {
        let opened = try OpenedData(data: "\(folder)/\(Source.train.link)", test: hasTest ? "\(folder)/\(Source.test.link)" : "")
        guard let dataset = source == .train ? opened.learnt : opened.judged else {
            throw Failure(.noInput, path: "\(folder)/\(source.link)", "has no part to judge by")
        }
        let data = try ImageData(dataset, known: &known) { _ in }
        var hashes: [BytePath: [ContentHash]] = [:]
        for file in 0..<dataset.fileCount { hashes[dataset.fileName(file)] = [] }
        for index in dataset.samples.indices { hashes[dataset.fileName(dataset.file(of: index)), default: []].append(ContentHash(data.hashes[index])) }
        return Contents(identity: data.identity) { hashes[$0] }
    }

    /// Names the first file that has other contents.
    ///
    /// - Parameter root: what the names are below; nil for names that are whole paths.
    private func changed(_ changes: [(name: BytePath, change: FileList.Change)], _ now: Contents, _ before: FileHashes, _ root: BytePath?) -> Failure {
        var before = before
        let different = changes.filter { name, change in
            switch change {
            case .added: now.hashes(name) != nil
            case .removed: true
            case .changed(let mark):
                // Of another part of the data, say; or as it was.
                now.hashes(name).map { hashes in before.hashes(of: name, mark, count: hashes.count)?.map(\.value) != hashes.map(\.value) } ?? false
            }
        }
        let told = different.isEmpty ? changes : different
        guard let (name, change) = told.first else { return Failure(.data, path: root?.description, "has changed") }
        let what = switch change {
        case .added: "was added"
        case .removed: "was removed"
        case .changed: "was changed"
        }
        let others = told.count == 1 ? "" : told.count == 2 ? " (another file too)" : " (\(told.count - 1) other files too)"
        return Failure(
            .data, path: (root?.appending(name) ?? name).description, "\(what) while make was at work\(others), so that \(stage) is not taken for done",
            remedy: program != nil && root == nil ? "run make again; if the program writes it, name it in a script that \(TeacherProgram.setting) runs, and not in the command" : "run make again")
    }
}

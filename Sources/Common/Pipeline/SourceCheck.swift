import Archives
import Datasets
import TensorStreams
import ToolSupport

/// Checks that the inputs a stage has read are still those that plan saw. If they are not, it is unknown which version
/// the stage has used.
///
/// It compares file names and stamps, which only requires a listing. Where these differ, it compares the contents of
/// the files that differ: data that was touched, or copied over itself, is the same data.
struct SourceCheck {
    let stage: String
    /// The run's folder.
    let folder: String
    /// Whether TEST is given and is not a split of DATA.
    let hasTest: Bool
    /// The given teachers.
    let teachers: [GivenTeacher]
    /// The teacher program, if the teacher is a program.
    let program: TeacherProgram.Definition?

    /// - Throws: ``Failure`` `data` with the name of a changed file.
    func check(_ sources: [Source]) throws {
        for source in sources {
            let difference: Failure?
            do {
                difference = try self.difference(source)
            } catch let failure as Failure {
                // A file that cannot be opened now was readable before.
                difference = Failure(.data, path: failure.path, "\(failure.what): it changed while make was running, so \(stage) does not count as done", remedy: "run make again")
            }
            if let difference { throw difference }
        }
    }

    /// The change; nil if at most stamps have changed.
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
        // Files of a program and of several teachers are listed by absolute paths.
        let root = program == nil && links.count < 2 ? BytePath((try? RunFolder.resolved(link)) ?? link) : nil
        guard now.identity == Identity(in: folder)?.of(source) else { return changed(changes, now, before, root) }
        // Spares the next stage from comparing contents again.
        try known.save(to: "\(folder)/\(FileHashes.file)", all: true)
        try files.save(to: seen)
        return nil
    }

    /// The current contents of a source.
    private struct Contents {
        let identity: String
        /// The hashes of a file by its name; nil if it contains nothing that is read.
        let hashes: (BytePath) -> [ContentHash]?
    }

    private func images(_ source: Source, known: inout FileHashes) throws -> Contents {
        let opened = try OpenedData(data: "\(folder)/\(Source.train.link)", test: hasTest ? "\(folder)/\(Source.test.link)" : "")
        guard let dataset = source == .train ? opened.learnt : opened.judged else {
            throw Failure(.noInput, path: "\(folder)/\(source.link)", "has no part to evaluate on")
        }
        let data = try ImageData(dataset, known: &known) { _ in }
        var hashes: [BytePath: [ContentHash]] = [:]
        for file in 0..<dataset.fileCount { hashes[dataset.fileName(file)] = [] }
        for index in dataset.samples.indices { hashes[dataset.fileName(dataset.file(of: index)), default: []].append(ContentHash(data.hashes[index])) }
        return Contents(identity: data.identity) { hashes[$0] }
    }

    /// The failure that names the first file with changed contents.
    ///
    /// - Parameter root: the folder that names are relative to; nil for absolute paths.
    private func changed(_ changes: [(name: BytePath, change: FileList.Change)], _ now: Contents, _ before: FileHashes, _ root: BytePath?) -> Failure {
        var before = before
        let different = changes.filter { name, change in
            switch change {
            case .added: now.hashes(name) != nil
            case .removed: true
            case .changed(let mark):
                // The file may be of another part of the data, or unchanged.
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
            .data, path: (root?.appending(name) ?? name).description, "\(what) while make was running\(others), so \(stage) does not count as done",
            remedy: program != nil && root == nil ? "run make again; if the program writes it, name it in a script that \(TeacherProgram.setting) runs, not in the command" : "run make again")
    }
}

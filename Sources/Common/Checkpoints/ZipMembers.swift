import Archives
import ToolSupport

/// The members of a zip of tensors, one after the other.
///
/// No program writes such a zip with a path outside the archive or with duplicate members.
struct ZipMembers {
    let archive: ArchiveFile
    private let path: String
    private var names: Set<String> = []

    init(_ path: String) throws { (self.path, archive) = (path, try ArchiveFile(BytePath(path))) }

    /// Advances to the next member that has a name; nil at the end.
    mutating func next() throws -> String? {
        while try archive.next() {
            guard let name = archive.memberPath?.description else { continue }
            if archive.leavesFolder { throw failure(name, "has a path that leads out of the archive") }
            guard names.insert(name).inserted else { throw failure(name, "is there twice") }
            return name
        }
        return nil
    }

    private func failure(_ name: String, _ what: String) -> Failure {
        Failure(.data, path: path, location: "member \(name.printableLine(limit: 80))", what, remedy: "the file is damaged, or made to deceive")
    }
}

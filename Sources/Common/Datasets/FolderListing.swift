import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What lies in a folder.
struct FolderListing {
    /// Folders in folders, at most so deep.
    private static let depth = 64

    /// The pictures below `path`. Links are followed, but never back into a folder that leads to them.
    static func pictures(below path: String) throws -> Listing {
        var listing = Listing()
        try walk(path, name: "", ancestors: [], into: &listing)
        return listing
    }

    /// The archives that lie in `path` itself, in the order of their names, and how many other files and folders do.
    static func archives(in path: String) throws -> (names: [String], others: Int) {
        let (names, unreadable) = try entries(of: path)
        let archives = names.filter { isArchive($0) && status(path + "/" + $0)?.st_mode.isFile == true }
        return (archives, names.count { !$0.hasPrefix(".") } - archives.count + unreadable)
    }

    static func isArchive(_ name: String) -> Bool {
        let name = name.lowercased()
        guard !name.hasPrefix(".") else { return false }
        let endings = [".tar", ".tgz", ".tbz2", ".txz", ".tzst", ".zip"] + ["gz", "bz2", "xz", "zst", "lz4"].map { ".tar." + $0 }
        return endings.contains { name.hasSuffix($0) }
    }

    static func status(_ path: String) -> stat? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status : nil
    }

    private struct Identity: Equatable {
        let device: dev_t
        let inode: ino_t
    }

    private static func walk(_ path: String, name: String, ancestors: [Identity], into listing: inout Listing) throws {
        guard let status = status(path) else { throw Failure.errno(.noInput, path: path, "cannot look at it") }
        let identity = Identity(device: status.st_dev, inode: status.st_ino)
        guard !ancestors.contains(identity), ancestors.count < depth else {
            listing.ignored += 1
            return
        }
        let (names, unreadable) = try entries(of: path)
        listing.ignored += unreadable
        for entry in names where !entry.hasPrefix(".") {
            let full = path + "/" + entry
            let inside = name.isEmpty ? entry : name + "/" + entry
            // A link to nothing, say, has no status.
            guard let status = self.status(full) else {
                listing.ignored += 1
                continue
            }
            if status.st_mode.isFolder {
                try walk(full, name: inside, ancestors: ancestors + [identity], into: &listing)
            } else if status.st_mode.isFile, Listing.isPicture(entry) {
                listing.members.append(Member(archive: "", name: inside, place: .file(full)))
            } else {
                listing.ignored += 1
            }
        }
    }

    /// The names in a folder, in order, and the number of those that are not UTF-8, which we cannot say.
    private static func entries(of path: String) throws -> (names: [String], unreadable: Int) {
        guard let folder = unsafe opendir(path) else { throw Failure.errno(.noInput, path: path, "cannot open the folder") }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        var unreadable = 0
        while true {
            Glibc.errno = 0
            guard let entry = unsafe readdir(folder) else {
                if Glibc.errno != 0 { throw Failure.errno(.io, path: path, "cannot read the folder") }
                break
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(validatingCString: $0) }
            }
            guard let name else {
                unreadable += 1
                continue
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return (names.sorted(), unreadable)
    }
}

extension mode_t {
    var isFile: Bool { self & S_IFMT == S_IFREG }
    var isFolder: Bool { self & S_IFMT == S_IFDIR }
}

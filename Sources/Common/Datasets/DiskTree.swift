import Archives
import Platform
import ToolSupport

/// A folder on disk.
struct DiskTree: FileTree {
    let root: BytePath

    struct Identity: Hashable {
        let device: dev_t
        let inode: ino_t
    }

    func identity(of folder: BytePath) throws -> Identity {
        let path = root.appending(folder)
        guard let status = DiskTree.status(path) else { throw Failure.errno(.noInput, path: path.description, "cannot access it") }
        return Identity(device: status.st_dev, inode: status.st_ino)
    }

    func kind(of path: BytePath) throws -> EntryKind? {
        let full = root.appending(path)
        guard let status = DiskTree.status(full) else {
            // A dangling link, or a cycle of links.
            guard [ENOENT, ELOOP, ENOTDIR].contains(errno) else { throw Failure.errno(.noInput, path: full.description, "cannot access it") }
            return nil
        }
        return status.st_mode.isFolder ? .folder : status.st_mode.isFile ? .file : .special
    }

    func isLink(_ path: BytePath) -> Bool {
        var status = stat()
        return unsafe root.appending(path).withCString { unsafe lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    func entries(of folder: BytePath) throws -> [BytePath] {
        let path = root.appending(folder)
        guard let names = FolderEntries.names(path.bytes) else { throw Failure.errno(.noInput, path: path.description, "cannot read the folder") }
        return names.map { BytePath($0) }.sorted()
    }

    static func status(_ path: BytePath) -> stat? {
        var status = stat()
        return unsafe path.withCString { unsafe stat($0, &status) } == 0 ? status : nil
    }
}

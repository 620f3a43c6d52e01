import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What lies in a folder and the folders below it.
///
/// Links are followed, but each folder is read once: under its own name where it lies below the root itself, else under the first
/// link that leads to it. So links of links end.
struct FolderListing {
    private(set) var images: [BytePath] = []
    private(set) var archives: [BytePath] = []
    private(set) var passedOver = PassedOverCount()
    private let root: BytePath
    private var visited: Set<Identity> = []
    private var links: [BytePath] = []

    init(_ root: BytePath) throws {
        self.root = root
        try visit(BytePath(""))
        // Links in the folders they lead to come behind those that are there.
        var next = 0
        while next < links.count {
            try visit(links[next])
            next += 1
        }
        images.sort()
        archives.sort()
    }

    private struct Identity: Hashable {
        let device: dev_t
        let inode: ino_t

        init(_ status: stat) { (device, inode) = (status.st_dev, status.st_ino) }
    }

    private mutating func visit(_ folder: BytePath) throws {
        let path = root.appending(folder)
        guard let status = FolderListing.status(path) else { throw Failure.errno(.noInput, path: path.description, "cannot look at it") }
        guard visited.insert(Identity(status)).inserted else {
            passedOver.add(.repeated, folder)
            return
        }
        for name in try FolderListing.entries(of: path) {
            let entry = folder.appending(name), full = root.appending(entry)
            if FileNames.isHidden(name.bytes[...]) {
                passedOver.add(.hidden, entry)
                continue
            }
            guard let status = FolderListing.status(full) else {
                // A link to nothing, or one that leads back to itself.
                guard [ENOENT, ELOOP, ENOTDIR].contains(Glibc.errno) else { throw Failure.errno(.noInput, path: full.description, "cannot look at it") }
                passedOver.add(.link, entry)
                continue
            }
            if status.st_mode.isFolder {
                if FolderListing.isLink(full) { links.append(entry) } else { try visit(entry) }
            } else if !status.st_mode.isFile {
                passedOver.add(.special, entry)
            } else if FileNames.isImage(name.bytes[...]) {
                images.append(entry)
            } else if FileNames.isArchive(name.bytes[...]) {
                archives.append(entry)
            } else {
                passedOver.add(.other, entry)
            }
        }
    }

    static func status(_ path: BytePath) -> stat? {
        var status = stat()
        return unsafe path.withCString { unsafe stat($0, &status) } == 0 ? status : nil
    }

    private static func isLink(_ path: BytePath) -> Bool {
        var status = stat()
        return unsafe path.withCString { unsafe lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// The names in a folder, in order.
    private static func entries(of path: BytePath) throws -> [BytePath] {
        guard let folder = unsafe path.withCString({ unsafe opendir($0) }) else {
            throw Failure.errno(.noInput, path: path.description, "cannot open the folder")
        }
        defer { unsafe closedir(folder) }
        var names: [BytePath] = []
        while true {
            Glibc.errno = 0
            guard let entry = unsafe readdir(folder) else {
                if Glibc.errno != 0 { throw Failure.errno(.io, path: path.description, "cannot read the folder") }
                break
            }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe BytePath($0.prefix { $0 != 0 }) }
            if name.bytes != Array(".".utf8), name.bytes != Array("..".utf8) { names.append(name) }
        }
        return names.sorted()
    }
}

extension mode_t {
    var isFile: Bool { self & S_IFMT == S_IFREG }
    var isFolder: Bool { self & S_IFMT == S_IFDIR }
    var isLink: Bool { self & S_IFMT == S_IFLNK }

    /// "a named pipe".
    var kind: String {
        switch self & S_IFMT {
        case S_IFIFO: "a named pipe (FIFO)"
        case S_IFSOCK: "a socket"
        case S_IFCHR, S_IFBLK: "a device"
        default: "of an unknown kind"
        }
    }
}

import Archives

/// Folders, files and links among them: a folder of a disk, or what an archive would be if it were unpacked.
///
/// Paths are counted from the tree's root, which is the empty path.
protocol FileTree {
    associatedtype Identity: Hashable

    /// What tells a folder from all others, by whatever path it was come to.
    func identity(of folder: BytePath) throws -> Identity
    /// The names in a folder, in order.
    func entries(of folder: BytePath) throws -> [BytePath]
    /// What lies at a path, at the end of all links; nil for a link that leads nowhere.
    func kind(of path: BytePath) throws -> EntryKind?
    /// Whether a link lies at a path.
    func isLink(_ path: BytePath) -> Bool
}

enum EntryKind {
    case folder
    case file
    /// A named pipe, a device, a socket.
    case special
}

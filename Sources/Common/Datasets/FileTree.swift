import Archives

/// A tree of folders, files and links: a folder on disk, or the contents of an archive as if it were unpacked.
///
/// Paths are relative to the tree's root, which is the empty path.
protocol FileTree {
    associatedtype Identity: Hashable

    /// The identity of a folder, independent of the path that leads to it.
    func identity(of folder: BytePath) throws -> Identity
    /// The sorted names in a folder.
    func entries(of folder: BytePath) throws -> [BytePath]
    /// The kind of the entry at a path, after all links; nil for a dangling link.
    func kind(of path: BytePath) throws -> EntryKind?
    /// Whether the entry at a path is a link.
    func isLink(_ path: BytePath) -> Bool
}

enum EntryKind {
    case folder
    case file
    /// A named pipe, a device, a socket.
    case special
}

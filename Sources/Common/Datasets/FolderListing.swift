import Archives

/// The contents of a folder and its subfolders, on disk or in an archive.
///
/// Links are followed, but each folder is read once: under its own name if it is below the root itself, else under the
/// first link that leads to it. So cycles of links end.
struct FolderListing<Tree: FileTree> {
    private(set) var images: [BytePath] = []
    private(set) var archives: [BytePath] = []
    private(set) var passedOver = PassedOverCount()
    private let tree: Tree
    private var visited: Set<Tree.Identity> = []
    private var links: [BytePath] = []

    init(_ tree: Tree) throws {
        self.tree = tree
        try visit(BytePath(""))
        // Links found in linked folders are appended to the list.
        var next = 0
        while next < links.count {
            try visit(links[next])
            next += 1
        }
        images.sort()
        archives.sort()
    }

    private mutating func visit(_ folder: BytePath) throws {
        guard visited.insert(try tree.identity(of: folder)).inserted else {
            passedOver.add(.repeated, folder)
            return
        }
        let entries = try tree.entries(of: folder)
        if entries.isEmpty, !folder.isEmpty { passedOver.add(.empty, folder) }
        for name in entries {
            let entry = folder.appending(name)
            if FileNames.isHidden(name.bytes[...]) {
                passedOver.add(.hidden, entry)
                continue
            }
            // Links in an archive can lead deeper than any path.
            guard entry.fitsFileSystem else {
                passedOver.add(.long, entry)
                continue
            }
            switch try tree.kind(of: entry) {
            case .folder: if tree.isLink(entry) { links.append(entry) } else { try visit(entry) }
            case .file where FileNames.isImage(name.bytes[...]): images.append(entry)
            case .file where FileNames.isArchive(name.bytes[...]): archives.append(entry)
            case .file: passedOver.add(.other, entry)
            case .special: passedOver.add(.special, entry)
            case nil: passedOver.add(.link, entry)
            }
        }
    }
}

import Archives

/// The members of an archive as they would be on disk: unpacked in order, later ones over earlier ones and through
/// links.
///
/// Links are followed unless they leave the archive; `/` is outside.
struct MemberTree<File>: FileTree {
    private enum Node {
        case folder
        case file(File)
        case special
        /// The target as written in the archive.
        case link(BytePath)
    }

    private struct Key: Hashable {
        let folder: Int
        let name: BytePath
    }

    private var nodes: [Node] = [.folder]
    /// The parent of each node.
    private var parents = [0]
    private var numbers: [Key: Int] = [:]
    /// The names by folder, unordered.
    private var names: [Int: [BytePath]] = [:]
    /// Images and links that were lost to another member of the same name.
    private(set) var passedOver = PassedOverCount()
    private static var root: Int { 0 }
    /// The limit of Linux.
    private static var mostLinks: Int { 40 }

    mutating func addFile(_ path: BytePath, _ file: File) { add(path, .file(file)) }

    mutating func addSpecial(_ path: BytePath) { add(path, .special) }

    mutating func addLink(_ path: BytePath, to target: BytePath) { add(path, .link(target)) }

    mutating func addFolder(_ path: BytePath) { _ = folder(path.parts) }

    /// Adds a second name for the entry at `target`; a link is not followed.
    ///
    /// - Returns: whether there is an entry at `target`.
    mutating func addHardLink(_ path: BytePath, to target: BytePath) -> Bool {
        guard let folder = number(of: target.folder), let other = numbers[Key(folder: folder, name: BytePath(target.name))] else { return false }
        if case .folder = nodes[other] { return false }
        add(path, nodes[other])
        return true
    }

    private mutating func add(_ path: BytePath, _ node: Node) {
        let key = Key(folder: folder(path.parts.dropLast()), name: BytePath(path.name))
        guard let number = numbers[key] else {
            _ = make(key, node)
            return
        }
        // An empty folder is replaced, as in unpacking; a non-empty one is not.
        if case .folder = nodes[number], names[number]?.isEmpty == false { return note(.blocked, path, node) }
        note(.replaced, path, nodes[number])
        nodes[number] = node
    }

    /// Counts a member that is not, or no longer, in the tree, where images may be lost with it.
    private mutating func note(_ kind: PassedOver.Kind, _ path: BytePath, _ node: Node) {
        let mayBeImages = switch node {
        case .file: FileNames.isImage(path.name)
        case .link: true
        case .folder, .special: false
        }
        if mayBeImages, !FileNames.isHidden(path) { passedOver.add(kind, path) }
    }

    private mutating func make(_ key: Key, _ node: Node) -> Int {
        nodes.append(node)
        parents.append(key.folder)
        numbers[key] = nodes.count - 1
        names[key.folder, default: []].append(key.name)
        return nodes.count - 1
    }

    /// The folder at `parts`, created where it is missing; links to folders are followed.
    private mutating func folder(_ parts: some Collection<ArraySlice<UInt8>>) -> Int {
        var folder = Self.root
        for (depth, part) in parts.enumerated() {
            let key = Key(folder: folder, name: BytePath(part))
            guard let number = numbers[key] else {
                folder = make(key, .folder)
                continue
            }
            if let end = follow(number), case .folder = nodes[end] {
                folder = end
            } else {
                note(.replaced, BytePath(parts.prefix(depth + 1).joined(separator: [BytePath.separator])), nodes[number])
                nodes[number] = .folder
                folder = number
            }
        }
        return folder
    }

    /// The node that `number` resolves to after all links; nil where that is outside the archive or does not exist.
    private func follow(_ number: Int) -> Int? {
        guard case .link(let target) = nodes[number] else { return number }
        return walk(target, from: parents[number], hops: 1)
    }

    private func walk(_ path: BytePath, from start: Int, hops: Int) -> Int? {
        // An absolute path leaves the archive.
        guard path.bytes.first != BytePath.separator else { return nil }
        var folder = start, rest = path.parts[...], hops = hops, current = start
        while let part = rest.popFirst() {
            guard case .folder = nodes[current] else { return nil }
            folder = current
            if part.elementsEqual(".".utf8) { continue }
            if part.elementsEqual("..".utf8) {
                guard folder != Self.root else { return nil }
                current = parents[folder]
                continue
            }
            guard let number = numbers[Key(folder: folder, name: BytePath(part))] else { return nil }
            if case .link(let target) = nodes[number] {
                hops += 1
                guard hops <= Self.mostLinks, target.bytes.first != BytePath.separator else { return nil }
                rest = (target.parts + rest)[...]
            } else {
                current = number
            }
        }
        return current
    }

    private func number(of path: BytePath) -> Int? { walk(path, from: Self.root, hops: 0) }

    /// The file at a path, after all links.
    func file(at path: BytePath) -> File? {
        guard let number = number(of: path), case .file(let file) = nodes[number] else { return nil }
        return file
    }

    func identity(of folder: BytePath) -> Int { number(of: folder) ?? -1 }
    func entries(of folder: BytePath) -> [BytePath] { number(of: folder).flatMap { names[$0] }?.sorted() ?? [] }

    func kind(of path: BytePath) -> EntryKind? {
        guard let number = number(of: path) else { return nil }
        switch nodes[number] {
        case .folder: return .folder
        case .file: return .file
        case .special: return .special
        case .link: return nil
        }
    }

    func isLink(_ path: BytePath) -> Bool {
        guard let folder = number(of: path.folder), let number = numbers[Key(folder: folder, name: BytePath(path.name))] else { return false }
        if case .link = nodes[number] { return true }
        return false
    }
}

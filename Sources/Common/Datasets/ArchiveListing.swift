import Archives
import Platform
import ToolSupport

/// The images of a tar or zip archive, by the same rules as for folders.
///
/// For a plain tar only the offsets are stored, and images are read from the file on demand. A compressed tar or a zip
/// does not allow random access: its images are kept in memory, within limits (``UnpackingLimit``). Of a member that
/// does not begin like a JPEG, only enough bytes to show that are kept. A link resolves to the image that it refers to
/// in the archive. Members are never extracted to disk.
struct ArchiveListing {
    private(set) var members: [Member] = []
    private(set) var passedOver = PassedOverCount()
    /// The bytes that the data set keeps in memory, including those of earlier archives.
    var kept: Int { limit.kept }

    /// The location of a regular member's bytes.
    private enum Location {
        case location(Sample.Location)
        /// Not kept; its name in the archive.
        case passedOver(BytePath)
    }

    private let path: BytePath
    private let number: Int
    private let size: Int
    private var limit: UnpackingLimit
    private var store = MemoryStore()
    private var tree = MemberTree<Location>()
    /// Whether the offsets in a plain tar have been verified.
    private var isChecked = false
    private var piece = [UInt8](repeating: 0, count: 1 << 16)

    /// How many bytes of a member that is not a JPEG are kept, for the message that says so.
    private static let sniffed = 16
    /// The memory cost of a member in addition to its name.
    private static let memberCost = 200

    /// - Parameters:
    ///   - number: its number among the data set's archives.
    ///   - prefix: the folder that its members are put in.
    ///   - kept: the bytes that are in memory already.
    init(_ path: BytePath, number: Int, prefix: BytePath, kept: Int) throws {
        guard let status = DiskTree.status(path) else { throw Failure.errno(.noInput, path: path.description, "cannot access it") }
        guard status.st_mode.isFile else { throw Failure(.data, path: path.description, "is \(status.st_mode.kind), not a file") }
        size = Int(status.st_size)
        if size == 0 { throw Failure(.data, path: path.description, "is empty") }
        self.path = path
        self.number = number
        limit = UnpackingLimit(path, size: size, kept: kept)
        try DecompressionWindow.check(path)
        let archive = try ArchiveFile(path)
        while try archive.next() { try take(archive) }
        if archive.isTar, !archive.isCompressed { try checkEnd() }
        let listing = try FolderListing(tree)
        passedOver.add(tree.passedOver)
        passedOver.add(listing.passedOver)
        // A nested archive is treated like any other file.
        for archive in listing.archives { passedOver.add(.other, archive) }
        let images = listing.images.map { ($0, tree.file(at: $0)) }
        let late = try read(images.compactMap { if case .passedOver(let name) = $0.1 { name } else { nil } })
        for (image, location) in images {
            switch location {
            case .location(let location): members.append(Member(path: prefix.appending(image), location: location))
            case .passedOver(let name): if let location = late[name] { members.append(Member(path: prefix.appending(image), location: location)) }
            case nil: break
            }
        }
    }

    private mutating func take(_ archive: ArchiveFile) throws {
        if archive.isTar, archive.isCompressed { try limit.unpack(to: archive.dataOffset) }
        guard let name = archive.memberPath else {
            passedOver.add(.unnamed, path)
            return
        }
        guard !name.isEmpty else { return }
        guard name.fitsFileSystem, archive.hardLink?.fitsFileSystem != false, archive.symbolicLink?.fitsFileSystem != false else {
            if !FileNames.isHidden(name) { passedOver.add(.long, name) }
            return
        }
        if archive.isCompressed || !archive.isTar { try limit.keep(name.bytes.count + ArchiveListing.memberCost) }
        let mode = archive.mode
        if let target = archive.hardLink, archive.declaredSize <= 0 {
            if !tree.addHardLink(name, to: target), !FileNames.isHidden(name) { passedOver.add(.link, name) }
        } else if mode.isLink {
            if let target = archive.symbolicLink { tree.addLink(name, to: target) }
        } else if mode.isFolder {
            tree.addFolder(name)
        } else if mode.isFile || archive.hardLink != nil {
            let isImage = !FileNames.isHidden(name) && FileNames.isImage(name.name)
            if isImage, archive.isEncrypted { throw archive.encrypted }
            tree.addFile(name, try location(of: name, in: archive, isImage: isImage))
        } else {
            tree.addSpecial(name)
        }
    }

    /// The location of the current member's bytes.
    private mutating func location(of name: BytePath, in archive: ArchiveFile, isImage: Bool) throws -> Location {
        let (offset, count) = (archive.dataOffset, archive.declaredSize)
        if archive.isTar, !archive.isCompressed, !archive.isSparse {
            guard count >= 0, offset >= 0, offset <= size, count <= size - offset else {
                throw Failure(
                    .data, path: path.description, location: "member \(name)", "ends early: \(count) bytes at \(offset) in a file of \(size)",
                    remedy: "the archive is truncated; make or copy it again")
            }
            if isImage, !isChecked, count > 0 { try check(archive, at: offset, count: min(512, count)) }
            return .location(.part(archive: number, offset: offset, count: count))
        }
        guard isImage else {
            if archive.isTar { try read(archive, keep: false) }
            return .passedOver(name)
        }
        return .location(.memory(archive: number, bytes: try read(archive, keep: true)))
    }

    /// Reads the member's bytes and keeps them if they may be a JPEG.
    @discardableResult
    private mutating func read(_ archive: ArchiveFile, keep: Bool) throws -> KeptBytes {
        store.begin()
        var isFirst = true, isKept = keep
        while true {
            let count = try archive.read(into: &piece)
            if archive.isTar, archive.isCompressed { try limit.unpack(to: archive.dataOffset) } else { try limit.unpack(count) }
            var taken = isKept ? count : 0
            if isFirst, isKept, !piece.prefix(count).starts(with: [0xFF, 0xD8, 0xFF]) {
                isKept = false
                taken = min(count, ArchiveListing.sniffed)
            }
            isFirst = false
            if taken > 0 {
                try limit.keep(taken)
                try unsafe piece.withUnsafeBytes { try unsafe store.append(UnsafeRawBufferPointer(rebasing: $0[..<taken])) }
            }
            // The rest of a zip member need not be decompressed.
            if count < piece.count || !isKept && !archive.isTar { return try store.end() }
        }
    }

    /// Verifies once per archive that the member's bytes are at the stored offset.
    ///
    /// If they are not, the archive is of an unknown variant.
    private mutating func check(_ archive: ArchiveFile, at offset: Int, count: Int) throws {
        var expected = [UInt8](repeating: 0, count: count)
        var found = expected
        let got = try archive.read(into: &expected)
        try SourceFile(path).readAll(&found, at: offset, location: "its first image")
        guard got == count, found == expected else {
            throw Failure(.data, path: path.description, "is a tar of an unusual kind: its images are not where their headers say", remedy: "unpack it")
        }
        isChecked = true
    }

    /// A tar ends with empty blocks. libarchive accepts one that is truncated between two members as complete.
    private func checkEnd() throws {
        let failure = Failure(.data, path: path.description, "does not end with an empty block, as a tar must", remedy: "it is truncated; make or copy it again")
        guard size >= 512 else { throw failure }
        var block = [UInt8](repeating: 1, count: 512)
        try SourceFile(path).readAll(&block, at: size - 512, location: "its end")
        guard block.allSatisfy({ $0 == 0 }) else { throw failure }
    }

    /// Reads the archive again for members that were not kept under their own names but are the targets of links.
    private mutating func read(_ names: [BytePath]) throws -> [BytePath: Sample.Location] {
        let wanted = Set(names)
        guard !wanted.isEmpty else { return [:] }
        limit.begin()
        let archive = try ArchiveFile(path)
        var found: [BytePath: Sample.Location] = [:]
        while try archive.next() {
            let name = archive.memberPath, isWanted = archive.mode.isFile && archive.hardLink == nil && name.map(wanted.contains) == true
            if isWanted, archive.isEncrypted { throw archive.encrypted }
            if isWanted || archive.isTar {
                let bytes = try read(archive, keep: isWanted)
                if isWanted, let name { found[name] = .memory(archive: number, bytes: bytes) }
            }
        }
        return found
    }
}

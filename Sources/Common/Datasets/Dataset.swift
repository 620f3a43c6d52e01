public import Archives
import Platform
import ToolSupport

/// Labelled JPEG images: a folder, or an archive (tar or zip, compressed or not), or a folder of archives.
///
/// The same rules hold in folders and archives. Images are files named `*.jpg`, `*.jpeg`, `*.jpe` or `*.jfif`. Hidden
/// files and folders and all others are skipped and counted in ``passedOver``. ``ClassNames`` has the rules for splits
/// and classes. An archive in a folder is read as if it had been unpacked there, if no folder of the data holds images;
/// next to folders of images it is skipped. Archives named `train.tar` and `val.tar` in one folder are splits.
///
/// Samples are ordered by their archive's name and their path's bytes. So the number of a sample does not depend on the
/// location of the data.
///
///     let data = try Dataset("train.tar")
///     let reader = try data.reader(17)
public struct Dataset: Sendable {
    /// The path that it was opened with.
    public let path: String
    public let samples: [Sample]
    /// The class names in the order of their labels.
    public let classes: [String]
    /// The contents of the data that are not samples, by kind.
    public let passedOver: [PassedOver]
    /// The names of the split folders, in order; empty without splits.
    public let splits: [String]
    /// The split that the samples belong to; nil without splits.
    public let split: String?
    private let root: BytePath
    /// The number of samples that are separate files; they come first.
    private let imageFiles: Int
    private let archives: [Archive]

    /// An archive, and the folder that its members are put in.
    private struct Archive {
        let path: BytePath
        let prefix: BytePath
    }

    /// The first image of each archive, ascending; separate files are contiguous and count as one archive.
    public var archiveStarts: [Int] {
        samples.indices.filter { $0 == 0 || samples[$0].location.archive != samples[$0 - 1].location.archive }
    }

    /// Scans `path`.
    ///
    /// - Parameters:
    ///   - split: the split to use, for example `train` or `val`; nil uses the training split where there are splits.
    ///   - classes: the class names of another data set: a folder of such a name is a class even where it is the only
    ///     one.
    /// - Throws: a ``Failure``: `noInput` when it does not exist, `data` for a truncated or invalid archive, and when
    ///   there are no images, `usage` when the split does not exist, `io` when memory is short.
    public init(_ path: String, split: String? = nil, classes known: [String] = []) throws {
        let root = Dataset.trimmed(path)
        guard let status = DiskTree.status(root) else { throw Failure.errno(.noInput, path: path, "cannot open the data") }
        var passedOver = PassedOverCount()
        var found: (members: [Member], archives: [Archive], names: ClassNames)
        do {
            if status.st_mode.isFolder {
                found = try Dataset.folder(root, split, Set(known), &passedOver)
            } else if status.st_mode.isFile {
                found = try Dataset.archive(root, split, Set(known), &passedOver)
            } else {
                throw Failure(.data, "is \(status.st_mode.kind), not a folder or an archive", remedy: "write it to a file first")
            }
        } catch var failure as Failure {
            failure.path = failure.path ?? path
            throw failure
        }
        var samples: [Sample] = []
        samples.reserveCapacity(found.members.count)
        for member in found.members {
            switch found.names.role(of: member.path) {
            case .sample(let label): samples.append(Sample(path: member.path, label: label, location: member.location))
            case .beside: passedOver.add(.beside, member.path)
            case .otherSplit: break
            }
        }
        found.members = []
        guard !samples.isEmpty else {
            let rest = passedOver.list.map(\.summary).joined(separator: ", ")
            throw Failure(.data, path: path, "has no JPEG images (*.jpg, *.jpeg)" + (rest.isEmpty ? "; it is empty" : ", only \(rest)"))
        }
        self.path = path
        self.root = root
        self.samples = samples
        imageFiles = samples.count { $0.location.archive == nil }
        self.passedOver = passedOver.list
        classes = found.names.names
        splits = found.names.splits
        self.split = found.names.split
        archives = found.archives
    }

    /// The path without trailing separators.
    private static func trimmed(_ path: String) -> BytePath {
        var bytes = Array(path.utf8)
        while bytes.count > 1, bytes.last == BytePath.separator { bytes.removeLast() }
        return BytePath(bytes)
    }

    private static func archive(
        _ path: BytePath, _ split: String?, _ known: Set<String>, _ passedOver: inout PassedOverCount
    ) throws -> ([Member], [Archive], ClassNames) {
        let listing = try ArchiveListing(path, number: 0, prefix: BytePath(""), kept: 0)
        passedOver.add(listing.passedOver)
        let members = listing.members.sorted { $0.path < $1.path }
        // A link has the name of its target, because its own name says nothing about the contents.
        let name = unsafe realpath(path.description, nil).map { whole in
            defer { unsafe free(whole) }
            return BytePath(unsafe String(cString: whole)).name
        }
        let names = try ClassNames(of: members.map(\.path), stem: FileNames.stem(ofArchive: name ?? path.name), split: split, known: known)
        return (members, [Archive(path: path, prefix: BytePath(""))], names)
    }

    private static func folder(
        _ root: BytePath, _ split: String?, _ known: Set<String>, _ passedOver: inout PassedOverCount
    ) throws -> ([Member], [Archive], ClassNames) {
        let listing = try FolderListing(DiskTree(root: root))
        passedOver.add(listing.passedOver)
        var members = listing.images.map { Member(path: $0, location: .file) }
        guard !listing.archives.isEmpty else { return (members, [], try ClassNames(of: listing.images, split: split, known: known)) }

        // Each archive stands for its contents until the split to read is known.
        let standInPrefixes = prefixes(listing.archives, areSplits: !listing.images.contains(where: \.isInFolder))
        let standIns = zip(listing.archives, standInPrefixes).map { $1.appending(BytePath($0.name)) }
        var names = try ClassNames(of: listing.images + standIns, split: split, known: known, mayBeInArchives: true)
        let hasClasses = listing.images.contains { names.isInClass($0) }
        var archives: [Archive] = [], kept = 0
        for (number, archive) in listing.archives.enumerated() {
            let role = names.role(of: standIns[number])
            if role == .otherSplit { continue }
            if hasClasses || role == .beside {
                passedOver.add(.archive, archive)
                continue
            }
            let inside = try ArchiveListing(root.appending(archive), number: archives.count, prefix: standInPrefixes[number], kept: kept)
            archives.append(Archive(path: root.appending(archive), prefix: standInPrefixes[number]))
            passedOver.add(inside.passedOver)
            kept = inside.kept
            members += inside.members.sorted { $0.path < $1.path }
        }
        if !archives.isEmpty { names = try ClassNames(of: members.map(\.path), split: split, known: known, after: names) }
        // Skipped archives do not define classes.
        if hasClasses { names = try ClassNames(of: listing.images, split: split, known: known) }
        return (members, archives, names)
    }

    /// The folders that archives are unpacked into: the ones that contain them. Where all archives in a folder are
    /// named after splits, of at least two kinds, it is one subfolder for each split.
    private static func prefixes(_ archives: [BytePath], areSplits: Bool) -> [BytePath] {
        func stem(_ path: BytePath) -> String { BytePath.text(FileNames.stem(ofArchive: path.name)) }
        let kinds = Dictionary(grouping: archives, by: \.folder).mapValues { $0.map { SplitKind(stem($0)) } }
        return archives.map { archive in
            let kinds = kinds[archive.folder] ?? []
            guard areSplits, !kinds.contains(nil), Set(kinds).count > 1 else { return archive.folder }
            return archive.folder.appending(BytePath(SplitKind.word(of: stem(archive))))
        }
    }

    /// The number of samples without a label although there are classes.
    public var unlabelled: Int { classes.isEmpty ? 0 : samples.count { $0.label < 0 } }

    /// The files that hold the samples' bytes, as text: the archives, then the image files in the order of the samples.
    public var files: [String] { filePaths.map(\.description) }

    /// The same files as file system paths.
    public var filePaths: [BytePath] { (0..<fileCount).map { filePath($0) } }

    /// The number of ``files``.
    public var fileCount: Int { archives.count + imageFiles }

    /// The name of a file relative to the data's root, by its index in ``files``; empty where the data is that file.
    public func fileName(_ number: Int) -> BytePath {
        guard number < archives.count else { return samples[number - archives.count].path }
        return BytePath(archives[number].path.bytes.dropFirst(root.bytes.count + 1))
    }

    /// The file system path of a file by its index in ``files``.
    public func filePath(_ number: Int) -> BytePath {
        number < archives.count ? archives[number].path : root.appending(samples[number - archives.count].path)
    }

    /// The sorted names below `path` of all files that hold images or may hold some, whether they would be read or not.
    /// Where `path` is a file itself, one empty name.
    ///
    /// It only lists folders, and serves to detect added or removed files.
    public static func sources(in path: String) throws -> [BytePath] {
        let root = Dataset.trimmed(path)
        guard let status = DiskTree.status(root) else { throw Failure.errno(.noInput, path: path, "cannot open the data") }
        guard status.st_mode.isFolder else { return [BytePath("")] }
        let listing = try FolderListing(DiskTree(root: root))
        return (listing.images + listing.archives).sorted()
    }

    /// The index in ``files`` of the file that holds the bytes of sample `index`.
    public func file(of index: Int) -> Int {
        // Image files come before the members of archives.
        samples[index].location.archive ?? archives.count + index
    }

    /// The location of sample `index` in messages: "train.tar: member cats/7.jpg".
    public func location(of index: Int) -> String {
        let path = samples[index].path
        guard let number = samples[index].location.archive else { return root.appending(path).description }
        let archive = archives[number], prefix = archive.prefix.bytes.count
        return "\(archive.path): member \(BytePath.text(path.bytes[(prefix == 0 ? 0 : prefix + 1)...]))"
    }

    /// The name of the archive that holds sample `index`; "files" for a separate file.
    public func source(of index: Int) -> String { samples[index].location.archive.map { BytePath.text(archives[$0].path.name) } ?? "files" }

    /// Opens sample `index`. It is thread-safe.
    ///
    /// - Throws: a ``Failure`` when its file cannot be opened.
    public func reader(_ index: Int) throws -> SampleReader {
        let source: SampleReader.Source = switch samples[index].location {
        case .file: .file(try SourceFile(root.appending(samples[index].path)), start: 0, count: nil)
        case .part(let archive, let offset, let count): .file(try SourceFile(archives[archive].path), start: offset, count: count)
        case .memory(_, let bytes): .memory(bytes)
        }
        return SampleReader(source: source) { location(of: index) }
    }
}

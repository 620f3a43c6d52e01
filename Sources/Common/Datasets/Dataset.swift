import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Labelled JPEG pictures: a folder `class/name.jpg`, a folder of archives, or one archive (tar or zip, compressed or not).
///
/// Samples are in the order of their archive's name and their path in it. So the number of a sample is the same
/// wherever the data lies. The classes are the folders' names in their order; without folders all labels are −1.
///
///     let data = try Dataset("train.tar")
///     var buffer: [UInt8] = []
///     let count = try data.read(17, into: &buffer)   // buffer[..<count] is a JPEG
public struct Dataset: Sendable {
    /// The path it was opened with.
    public let path: String
    public let samples: [Sample]
    public let classes: [String]
    /// What lies in the data and is not among the samples, by kind.
    public let passedOver: [PassedOver]
    /// The names of the split folders that were found, in their order; none where there are no splits.
    public let splits: [String]
    /// The split that the samples are from; nil where there are no splits.
    public let split: String?
    /// The files that hold the samples' bytes, in order: the archives, or the picture files.
    public let files: [String]
    private let archives: [String]

    /// Files and members that are not taken for pictures.
    public var ignored: Int { passedOver.reduce(0) { $0 + $1.count } }

    /// The place in ``files`` of the one that holds the bytes of sample `index`.
    public func file(of index: Int) -> Int {
        switch samples[index].place {
        case .file: index
        case .part(let archive, _, _), .memory(let archive, _): archive
        }
    }

    /// A picture's file may have so many bytes.
    public static let pictureLimit = 256 << 20

    /// Looks through `path`.
    ///
    /// - Throws: a ``Failure``: `noInput` when it is not there, `data` for an archive that is truncated or no archive,
    ///   and when there are no pictures.
    /// - Parameter split: the split to take, `train` or `val` say; nil takes the training part where there are splits.
    public init(_ path: String, split: String? = nil) throws {
        guard let status = FolderListing.status(path) else { throw Failure.errno(.noInput, path: path, "cannot open the data") }
        var archives = [path]
        var listing = Listing()
        if status.st_mode.isFolder {
            let (names, others) = try FolderListing.archives(in: path)
            archives = names.map { path + "/" + $0 }
            // Where there are archives, folders beside them are passed over.
            if archives.isEmpty { listing = try FolderListing.pictures(below: path) } else { listing.ignored = others }
        }
        for (number, archive) in archives.enumerated() {
            let more = try ArchiveListing.pictures(in: archive, number: number, held: listing.held)
            listing.members += more.members
            listing.ignored += more.ignored
            listing.held = more.held
        }
        guard !listing.members.isEmpty else {
            let found = listing.ignored == 0 ? "nothing is in it" : "\(listing.ignored) other files or members are"
            throw Failure(.data, path: path, "has no JPEG pictures (*.jpg, *.jpeg); \(found)")
        }
        // Swift's sort is stable: of two members with one name the earlier comes first.
        let members = listing.members.sorted { ($0.archive, $0.name) < ($1.archive, $1.name) }
        let names = ClassNames(of: members.map(\.name))
        self.path = path
        self.archives = archives
        passedOver = listing.ignored == 0 ? [] : [PassedOver(kind: .other, count: listing.ignored, first: "")]
        (splits, self.split) = ([], nil)
        files = archives.isEmpty ? members.map { if case .file(let path) = $0.place { path } else { "" } } : archives
        classes = names.names
        samples = members.map { Sample(name: $0.name, label: names.label(of: $0.name), place: $0.place) }
    }

    /// Where sample `index` is, as messages name it: "train.tar: member cats/7.jpg".
    public func location(of index: Int) -> String {
        switch samples[index].place {
        case .file(let path): path
        case .part(let archive, _, _), .memory(let archive, _): "\(archives[archive]): member \(samples[index].name)"
        }
    }

    /// Reads the bytes of sample `index` to the beginning of `buffer`, which grows as it must, and gives their number.
    ///
    /// May be called by several threads.
    public func read(_ index: Int, into buffer: inout [UInt8]) throws -> Int {
        switch samples[index].place {
        case .file(let path):
            let file = try SourceFile(path)
            let count = try file.size()
            try makeRoom(count, index, in: &buffer)
            try file.read(&buffer, count: count, at: 0, place: "its end")
            return count
        case .part(let archive, let offset, let count):
            try makeRoom(count, index, in: &buffer)
            try SourceFile(archives[archive]).read(&buffer, count: count, at: offset, place: "member \(samples[index].name)")
            return count
        case .memory(_, let bytes):
            try makeRoom(bytes.count, index, in: &buffer)
            buffer.replaceSubrange(..<bytes.count, with: bytes)
            return bytes.count
        }
    }

    private func makeRoom(_ count: Int, _ index: Int, in buffer: inout [UInt8]) throws {
        guard count <= Dataset.pictureLimit else {
            throw Failure(.data, path: location(of: index), "has \(count) bytes, above the limit of \(Dataset.pictureLimit >> 20) MiB for a picture")
        }
        if buffer.count < count { buffer += repeatElement(0, count: count - buffer.count) }
    }
}

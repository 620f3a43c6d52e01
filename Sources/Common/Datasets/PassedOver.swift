import Archives
import ToolSupport

/// Files of one kind in a data set that are not among its images: their number, and the first of them.
public struct PassedOver: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// The name of the file, or of a folder above it, begins with a dot or belongs to an operating system
        /// (`__MACOSX`, `@eaDir` …).
        case hidden
        /// Its name does not end in `.jpg`, `.jpeg`, `.jpe` or `.jfif`.
        case other
        /// A dangling link, or a link to something that is not in the archive.
        case link
        /// A member without a name in the archive.
        case unnamed
        /// A member whose name or link target is too long for a file system.
        case long
        /// A link to a folder that has already been read.
        case repeated
        /// A member that a later one of the same name in the same archive replaces.
        case replaced
        /// A member with the name of an earlier folder of the archive.
        case blocked
        /// A named pipe, a device, a socket.
        case special
        /// An empty folder; it may be a class that was not copied.
        case empty
        /// An archive next to folders of images.
        case archive
        /// A file or folder next to the split folders.
        case beside
    }

    public let kind: Kind
    public let count: Int
    /// The path of the first one in the data set.
    public let first: String

    public init(_ kind: Kind, _ count: Int, _ first: String) {
        self.kind = kind
        self.count = count
        self.first = first
    }

    /// "3 hidden (the first is cats/.thumbnails)".
    public var summary: String {
        let what = switch kind {
        case .hidden: "hidden"
        case .other: count == 1 ? "other file" : "other files"
        case .link: count == 1 ? "link to a missing target" : "links to missing targets"
        case .unnamed: count == 1 ? "member without a name" : "members without names"
        case .long: count == 1 ? "member with a name too long for a file" : "members with names too long for files"
        case .repeated: count == 1 ? "link to a folder already read" : "links to folders already read"
        case .replaced: count == 1 ? "member replaced by a later one" : "members replaced by later ones"
        case .blocked: count == 1 ? "member with the name of a folder" : "members with names of folders"
        case .special: count == 1 ? "special file" : "special files"
        case .empty: count == 1 ? "empty folder" : "empty folders"
        case .archive: count == 1 ? "archive beside folders of images" : "archives beside folders of images"
        case .beside: count == 1 ? "image beside the splits" : "images beside the splits"
        }
        return "\(count) \(what) (\(count == 1 ? "" : "the first is ")\(first.printableLine(limit: 200)))"
    }
}

/// Counts skipped files.
struct PassedOverCount {
    private var counts: [PassedOver.Kind: (count: Int, first: BytePath)] = [:]
    private var hidden: Set<BytePath> = []

    /// Counts a file. A hidden folder counts once, whatever its contents.
    mutating func add(_ kind: PassedOver.Kind, _ path: BytePath) {
        if kind == .hidden, !hidden.insert(path).inserted { return }
        let before = counts[kind]
        counts[kind] = ((before?.count ?? 0) + 1, before.map { min($0.first, path) } ?? path)
    }

    mutating func add(_ other: PassedOverCount) {
        for (kind, value) in other.counts {
            let before = counts[kind]
            counts[kind] = ((before?.count ?? 0) + value.count, before.map { min($0.first, value.first) } ?? value.first)
        }
    }

    /// The counts in the order of the kinds.
    var list: [PassedOver] {
        PassedOver.Kind.allCases.compactMap { kind in counts[kind].map { PassedOver(kind, $0.count, $0.first.description) } }
    }
}

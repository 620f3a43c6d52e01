import Archives
import ToolSupport

/// Files of one kind that lie in a data set and are not among its images: how many, and the first of them.
public struct PassedOver: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// The name of the file, or of a folder that leads to it, begins with a dot or is a system's own (`__MACOSX`, `@eaDir` …).
        case hidden
        /// Its name does not end in `.jpg`, `.jpeg`, `.jpe` or `.jfif`.
        case other
        /// A link to nothing, or to what is not in the archive.
        case link
        /// A member whose name the archive does not tell.
        case unnamed
        /// A member whose name, or where a link leads, is longer than file systems take.
        case long
        /// A link to a folder that is read already.
        case repeated
        /// An earlier member of the same name in the same archive.
        case replaced
        /// A member of an archive with the name of an earlier folder in it.
        case blocked
        /// A named pipe, a device, a socket.
        case special
        /// A folder with nothing in it: of a class, it may be one that was not copied.
        case empty
        /// An archive beside folders of images.
        case archive
        /// A file or folder beside the split folders.
        case beside
    }

    public let kind: Kind
    public let count: Int
    /// The first one's path in the data set.
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
        case .link: count == 1 ? "link to what is not here" : "links to what is not here"
        case .unnamed: count == 1 ? "member without a name" : "members without names"
        case .long: count == 1 ? "member with a name too long for a file" : "members with names too long for files"
        case .repeated: count == 1 ? "link to a folder that is read already" : "links to folders that are read already"
        case .replaced: count == 1 ? "member that a later one replaces" : "members that later ones replace"
        case .blocked: count == 1 ? "member with the name of a folder" : "members with names of folders"
        case .special: count == 1 ? "special file" : "special files"
        case .empty: count == 1 ? "empty folder" : "empty folders"
        case .archive: count == 1 ? "archive beside folders of images" : "archives beside folders of images"
        case .beside: count == 1 ? "image beside the splits" : "images beside the splits"
        }
        return "\(count) \(what) (\(count == 1 ? "" : "the first is ")\(first.printableLine(limit: 200)))"
    }
}

/// Counts what is passed over.
struct PassedOverCount {
    private var counts: [PassedOver.Kind: (count: Int, first: BytePath)] = [:]
    private var hidden: Set<BytePath> = []

    /// Counts a file. A hidden folder counts once, whatever is in it.
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

    /// In the order of the kinds.
    var list: [PassedOver] {
        PassedOver.Kind.allCases.compactMap { kind in counts[kind].map { PassedOver(kind, $0.count, $0.first.description) } }
    }
}

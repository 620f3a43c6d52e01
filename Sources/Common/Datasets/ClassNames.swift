import Archives
import ToolSupport

/// The splits and the classes of images, derived from their folders.
///
/// An image's class is the first folder on its path below the *root*, as in torchvision's `ImageFolder`: `cats/7.jpg`
/// and `cats/persian/7.jpg` are cats, whether there are other classes or not. An image directly in the root has no
/// label (−1).
///
/// The root is the top of the data, or a folder below it that these rules select:
///
/// 1. *Splits.* Folders are splits rather than classes where all of them are named `train`, `training`, `val`, `valid`,
///    `validation`, `test` or `testing`, in any case and with or without a number (`train2017`, `val-1`), or where a
///    `train` is next to a `val` or `test`. The root is then the requested split, else the training split, or the only
///    one. Anything next to the splits is ignored.
/// 2. *Wrapping folders.* Where there is only one folder and most of the images in it are in subfolders, the root is
///    that folder: `photos/cats/7.jpg` next to `photos/dogs/1.jpg`. The same holds for the only folder of an archive if
///    it has the archive's own name: `cats.tar` with `cats/7.jpg` is equivalent to the folder `cats` with `7.jpg`.
///    Images next to a wrapping folder have no label.
///
/// A folder whose name is a known class name, for example from another data set, is always a class.
///
/// Names are split and compared as bytes, except that names which differ only in Unicode composition (é as one or two
/// characters) count as equal.
struct ClassNames {
    /// The names of the split folders, in order.
    private(set) var splits: [String] = []
    private(set) var split: String?
    /// The class names in order; the label is the index.
    private(set) var names: [String] = []
    private var labels: [String: Int] = [:]
    /// The path of the root with a trailing separator; empty for the top of the data.
    private var root: [UInt8] = []
    /// The folder that holds the splits, and the split itself, in the same form.
    private var splitsRoot: [UInt8] = []
    private var splitRoot: [UInt8] = []

    /// The role of an image in the data set.
    enum Role: Equatable {
        /// A sample with this label.
        case sample(Int)
        /// In another split.
        case otherSplit
        /// Next to the splits.
        case beside
    }

    /// A folder directly below the root.
    private struct Folder {
        var path: ArraySlice<UInt8>
        var images = 0
        /// The number of images directly in the folder.
        var direct = 0
    }

    /// - Parameters:
    ///   - paths: the paths of all images.
    ///   - stem: the name of the archive that holds all of them; nil for several archives, or none.
    ///   - wanted: the split to use.
    ///   - known: names that are known to be classes.
    ///   - first: the known splits; nil where they are to be detected.
    ///   - mayBeInArchives: whether a missing split is not an error yet.
    /// - Throws: a ``Failure`` of kind `usage`, without path, when the split does not exist, or must be named and is
    ///   not.
    init(
        of paths: [BytePath], stem: ArraySlice<UInt8>? = nil, split wanted: String? = nil, known: Set<String> = [], after first: ClassNames? = nil,
        mayBeInArchives: Bool = false
    ) throws {
        var stem = stem
        if let first, first.split != nil {
            (splits, split, splitsRoot, splitRoot, root) = (first.splits, first.split, first.splitsRoot, first.splitRoot, first.splitRoot)
        }
        while true {
            let folders = foldersBelowRoot(paths)
            if split == nil, ClassNames.areSplits(Array(folders.keys), known) {
                splits = folders.sorted { $0.value.path.lexicographicallyPrecedes($1.value.path) }.map(\.key).filter { SplitKind($0) != nil }
                let chosen = try choose(wanted)
                split = chosen
                splitsRoot = root
                root += (folders[chosen]?.path ?? []) + [BytePath.separator]
                splitRoot = root
            } else if folders.count == 1, let only = folders.first, !known.contains(only.key),
                only.value.direct * 2 < only.value.images || stem.map({ only.value.path.elementsEqual($0) }) == true {
                root += only.value.path + [BytePath.separator]
            } else {
                break
            }
            stem = nil
        }
        if let wanted, split == nil, !mayBeInArchives {
            throw Failure(.usage, "has no split '\(wanted)': none of its folders is named train, val or test", remedy: "leave --split out")
        }
        let classes = foldersBelowRoot(paths)
        let sorted = classes.sorted { $0.value.path.lexicographicallyPrecedes($1.value.path) }
        names = sorted.map(\.key)
        labels = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    }

    /// The role of an image.
    func role(of path: BytePath) -> Role {
        let bytes = path.bytes
        guard bytes.starts(with: root) else {
            guard split != nil else { return .sample(-1) }
            guard bytes.starts(with: splitsRoot), let folder = ClassNames.firstFolder(bytes, below: splitsRoot.count) else { return .beside }
            // The images next to a wrapping folder in the chosen split have no label.
            let name = BytePath.text(folder)
            return name == split ? .sample(-1) : splits.contains(name) ? .otherSplit : .beside
        }
        guard let folder = ClassNames.firstFolder(bytes, below: root.count) else { return .sample(-1) }
        return .sample(labels[BytePath.text(folder)] ?? -1)
    }

    /// Whether an image is in a folder below the root, and so would have a label.
    func isInClass(_ path: BytePath) -> Bool {
        path.bytes.starts(with: root) && ClassNames.firstFolder(path.bytes, below: root.count) != nil
    }

    private func foldersBelowRoot(_ paths: [BytePath]) -> [String: Folder] {
        var folders: [String: Folder] = [:]
        // Consecutive paths are mostly in the same folder.
        var last: (path: ArraySlice<UInt8>, name: String)?
        for path in paths where path.bytes.starts(with: root) {
            guard let folder = ClassNames.firstFolder(path.bytes, below: root.count) else { continue }
            if last.map({ $0.path == folder }) != true { last = (folder, BytePath.text(folder)) }
            guard let name = last?.name else { continue }
            let isDirect = !path.bytes[(folder.endIndex + 1)...].contains(BytePath.separator)
            folders[name, default: Folder(path: folder)].images += 1
            if isDirect { folders[name]?.direct += 1 }
        }
        return folders
    }

    private static func firstFolder(_ path: [UInt8], below start: Int) -> ArraySlice<UInt8>? {
        path[start...].firstIndex(of: BytePath.separator).map { path[start..<$0] }
    }

    private static func areSplits(_ names: [String], _ known: Set<String>) -> Bool {
        let kinds = names.filter { !known.contains($0) }.compactMap { SplitKind($0) }
        return !kinds.isEmpty && (kinds.count == names.count || kinds.contains(.train) && Set(kinds).count > 1)
    }

    private func choose(_ wanted: String?) throws -> String {
        let list = splits.prefix(5).joined(separator: ", ") + (splits.count > 5 ? ", …" : "")
        guard let wanted else {
            let training = splits.filter { SplitKind($0) == .train }
            if training.count == 1 { return training[0] }
            if splits.count == 1 { return splits[0] }
            throw Failure(.usage, "has the splits \(list)", remedy: "name one with --split")
        }
        if let exact = splits.first(where: { $0 == wanted }) { return exact }
        let kind = SplitKind(wanted)
        let alike = splits.filter { kind != nil && SplitKind($0) == kind }
        guard alike.count == 1 else { throw Failure(.usage, "has no split '\(wanted)', only \(list)", remedy: "name one of these with --split") }
        return alike[0]
    }
}

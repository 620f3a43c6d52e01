public import Archives
import Randomness
import ToolSupport

/// The training images where labels are few: a share of each class, or those of a list.
public enum LabelSubset: Sendable, Equatable {
    /// This share of the images of each class, above 0 to 1, drawn with this seed: at least one of each class. A
    /// smaller share is a subset of a larger one.
    case fraction(Double, seed: UInt64)
    /// The images named in a list.
    case listed([BytePath])

    /// The chosen images, ascending, and the names of the list that match no image of the data.
    public struct Choice: Sendable, Equatable {
        public let images: [Int]
        public let missing: [String]
    }

    /// Reads a list with one name per line, such as `n01440764_10183.JPEG` in the lists of SimCLR
    /// (google-research/simclr, `imagenet_subsets`), or a path with one or more folders. There is no header line. Empty
    /// lines, and blanks around a name, are ignored.
    ///
    /// - Throws: a ``Failure`` when the file cannot be read, or contains no names.
    public static func list(_ path: String) throws -> LabelSubset { try list(SmallFile.bytes(path, limit: 1 << 30, of: "a list of images"), path) }

    /// Parses the file's bytes.
    public static func list(_ bytes: [UInt8], _ path: String) throws -> LabelSubset {
        let blanks = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
        let lines = bytes.split(separator: UInt8(ascii: "\n")).compactMap { line -> BytePath? in
            let name = line.drop(while: blanks.contains), end = name.lastIndex { !blanks.contains($0) }
            return end.map { BytePath(name[...$0]) }
        }
        guard !lines.isEmpty else { throw Failure(.data, path: path, "names no images", remedy: "write their names into it, one per line") }
        return .listed(lines)
    }

    /// Chooses among the images of `data` that are in `fold`. A share does not include images without a class.
    ///
    /// - Throws: a ``Failure``: `usage` where there are no classes, or no image of the list; `data` where a name of the
    ///   list matches several images.
    public func choose(_ data: Dataset, fold: Shard = Shard(1, of: 1)) throws -> Choice {
        let candidates = (0..<fold.count(of: data.samples.count)).map(fold.item)
        switch self {
        case .fraction(let share, let seed):
            guard !data.classes.isEmpty else {
                throw Failure(.usage, path: data.path, "has no classes to take a share of", remedy: "put images into folders named after their classes")
            }
            return Choice(images: LabelSubset.share(share, of: candidates.map { ($0, data.samples[$0].label) }, classes: data.classes.count, seed: seed), missing: [])
        case .listed(let names): return try LabelSubset.find(names, in: data, among: candidates)
        }
    }

    /// - Parameter images: the numbers and labels of the images.
    static func share(_ share: Double, of images: [(number: Int, label: Int)], classes: Int, seed: UInt64) -> [Int] {
        var groups = [[Int]](repeating: [], count: classes)
        for image in images where image.label >= 0 { groups[image.label].append(image.number) }
        return groups.enumerated().flatMap { label, group -> ArraySlice<Int> in
            // One order for all shares, so that they are nested.
            var random = CounterRandom(seed: seed, .labels, item: label)
            let order = random.permutation(group.count).map { group[$0] }
            return order.prefix(max(1, Int((share * Double(group.count)).rounded())))
        }.sorted()
    }

    private static func find(_ names: [BytePath], in data: Dataset, among candidates: [Int]) throws -> Choice {
        // Looks up images by file name; a path distinguishes images of the same name.
        let wanted = Set(names.map { Array($0.name) })
        var known: [[UInt8]: [Int]] = [:]
        for (index, sample) in data.samples.enumerated() {
            let name = Array(sample.path.name)
            if wanted.contains(name) { known[name, default: []].append(index) }
        }
        var found: Set<Int> = [], missing: [String] = []
        for name in names {
            let path = [BytePath.separator] + name.bytes
            let images = known[Array(name.name), default: []].filter { data.samples[$0].path.bytes == name.bytes || data.samples[$0].path.bytes.ends(with: path) }
            if images.count > 1 {
                throw Failure(
                    .data, path: data.path, "the list names '\(name.description.printableLine(limit: 80))', which is the name of \(images.count) images, such as \(data.location(of: images[0]))",
                    remedy: "put the folder before the name: class/name.jpg")
            }
            if let image = images.first { found.insert(image) } else { missing.append(name.description) }
        }
        guard !found.isEmpty else {
            throw Failure(.usage, path: data.path, "has none of the \(names.count) images that the list names, such as '\(names[0].description.printableLine(limit: 80))'", remedy: "give the list that belongs to the data")
        }
        let images = candidates.filter(found.contains)
        guard !images.isEmpty else { throw Failure(.usage, path: data.path, "has the listed images only in another fold", remedy: "list images of this fold") }
        return Choice(images: images, missing: missing)
    }
}

extension LabelSubset.Choice {
    /// A remark for the user about names without an image.
    public var remark: String? {
        missing.isEmpty ? nil : "\(missing.count) of the listed images \(missing.count == 1 ? "is" : "are") not in the data: \(listed(missing))"
    }
}

extension Array where Element: Equatable {
    fileprivate func ends(with end: [Element]) -> Bool { count >= end.count && self[(count - end.count)...].elementsEqual(end) }
}

import Randomness
import TensorStreams
import ToolSupport

/// For each image, other images that are near to it, as `neighbours` writes them: `index` i64 [n], `neighbours` i64 [n,
/// k].
struct Bags {
    private let path: String
    /// The row of an image, by its number.
    private let rows: [Int: Int]
    private let neighbours: [Int]
    private let k: Int

    /// - Parameters:
    ///   - samples: the number of images in the data set.
    ///   - chosen: the images that are read. Their bags may contain no others, such as images held out for evaluation.
    init(_ path: String, samples: Int, chosen: Set<Int>) throws {
        self.path = path
        let document = try DocumentFile.read(path) { outline in
            let index = try outline.tensor("index", .i64, shape: [nil])
            _ = try outline.tensor("neighbours", .i64, shape: [index.shape[0], nil])
            return ["index", "neighbours"]
        }
        let index = try document.tensor("index", .i64, shape: [nil]).integers(), lists = try document.tensor("neighbours", .i64, shape: [index.count, nil])
        (neighbours, k) = (try lists.integers(), lists.shape[1])
        guard k > 0, !index.isEmpty else { throw document.failure("holds no neighbours") }
        rows = Dictionary(index.enumerated().map { ($1, $0) }) { $1 }
        guard rows.count == index.count else { throw document.failure("has an image more than once in 'index'") }
        guard let most = (index + neighbours).max(), let least = (index + neighbours).min(), least >= 0, most < samples else {
            throw document.failure("has images that are missing from the data, of \(samples) images", remedy: "make it from the same data with neighbours")
        }
        for (row, image) in index.enumerated() where chosen.contains(image) {
            guard let other = neighbours[row * k..<(row + 1) * k].first(where: { !chosen.contains($0) }) else { continue }
            throw document.failure("has image \(other), which is not read, in the bag of image \(image)", remedy: "make it from the images that are read, with the same --limit, --fold and labels")
        }
    }

    /// The member of an image's bag that is drawn for an epoch.
    ///
    /// - Throws: ``MissingBag``.
    func member(of image: Int, seed: UInt64, epoch: Int) throws -> Int {
        guard let row = rows[image] else {
            throw MissingBag(failure: Failure(.data, path: path, "has no neighbours of image \(image)", remedy: "make it from all images that are read, with the same --limit and --fold"))
        }
        var random = CounterRandom(seed: seed, .bag, epoch: epoch, item: image)
        return neighbours[row * k + random.below(k)]
    }
}

/// An image without a bag; the image itself is not at fault.
struct MissingBag: Error {
    let failure: Failure
}

/// How images are mixed.
enum Mixing {
    case none
    /// Each image with another one of its batch.
    case mixUp
    /// A view of an image and one of another image of its bag are mixed into a third view; two views of a second group
    /// show the two images.
    case bags(Bags)

    var isMixUp: Bool { if case .mixUp = self { true } else { false } }
}

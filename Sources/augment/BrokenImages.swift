import Datasets
import ToolSupport

/// Counts the images that cannot be decoded, and stops when they are too many.
struct BrokenImages {
    /// In one epoch; nil for any number.
    private let allowed: Int?
    private let data: String
    private var known: Set<Int> = []
    private var inEpoch = 0
    /// The first ones, and what is wrong with them.
    private(set) var reasons: [(image: String, reason: String)] = []
    /// So many reasons are kept.
    private static let most = 100

    /// How many different images are broken.
    var count: Int { known.count }

    init(allowed: Int?, data: String) {
        self.allowed = allowed
        self.data = data
    }

    mutating func begin(epoch: Int) { inEpoch = 0 }

    /// Takes note of `images` and gives a line for each that is new.
    ///
    /// - Throws: a ``Failure`` of kind `data` when more are broken than allowed. The lines come first in its text's stead.
    mutating func add(_ images: [BatchRenderer.Broken]) throws -> [String] {
        inEpoch += images.count
        let new = images.filter { known.insert($0.index).inserted }
        if let allowed, inEpoch > allowed, let first = images.first {
            throw Failure(
                .data, path: data, "\(inEpoch) images are broken, more than 1 % of them, such as \(first.failure)",
                remedy: "repair them, or pass --allow-bad to leave them out")
        }
        for broken in new.prefix(max(0, BrokenImages.most - reasons.count)) {
            reasons.append((broken.location, [broken.failure.location, broken.failure.what].compactMap { $0 }.joined(separator: ": ")))
        }
        return new.map { "\($0.failure); left out" }
    }
}

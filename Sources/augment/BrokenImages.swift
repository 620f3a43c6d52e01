import Datasets
import ToolSupport

/// Counts the images that cannot be decoded, and stops when there are too many.
struct BrokenImages {
    /// The limit for one epoch; nil for any number.
    private let allowed: Int?
    private let data: String
    private var known: Set<Int> = []
    private var inEpoch = 0
    /// The first broken images and their errors.
    private(set) var reasons: [(image: String, reason: String)] = []
    /// The maximum number of stored errors.
    private static let most = 100

    /// The number of different broken images.
    var count: Int { known.count }

    init(allowed: Int?, data: String) {
        self.allowed = allowed
        self.data = data
    }

    mutating func begin(epoch: Int) { inEpoch = 0 }

    /// Records `images` and returns a line for each new one.
    ///
    /// - Throws: a ``Failure`` of kind `data` when more are broken than allowed; no lines are returned then.
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

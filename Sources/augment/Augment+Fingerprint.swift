import Datasets
import TensorStreams
import ToolSupport

/// What the data are known by, so that machines with other data of the same name do not train together.
extension Augment {
    /// The bytes of so many images are looked at, spread over the data.
    private static let looked = 32
    /// And so many of each.
    private static let bytes = 1 << 20

    /// A hash of all images' names and labels, and of the bytes of some.
    func fingerprint(_ dataset: Dataset) -> String {
        var hash = XXH64()
        func add(_ bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe hash.update($0) } }
        for sample in dataset.samples { add(sample.pathBytes + [0] + Array("\(sample.label)".utf8) + [0]) }
        let count = dataset.samples.count
        for number in 0..<min(count, Self.looked) {
            // One that cannot be read is told when its turn comes.
            if let bytes = try? beginning(of: number * count / min(count, Self.looked), dataset) { add(bytes) }
        }
        return hash.text
    }

    /// A hash of which of them are taken, and what goes with them; nil where they are all.
    ///
    /// - Parameter chosen: those that LABELS names; nil for all.
    func choiceFingerprint(_ chosen: [Int]?) throws -> String? {
        guard chosen != nil || bags != nil else { return nil }
        return try XXH64.text(of: (chosen.map { "\($0)" } ?? "") + (bags.map(XXH64.ofFile) ?? ""))
    }

    private func beginning(of index: Int, _ dataset: Dataset) throws -> [UInt8] {
        let reader = try dataset.reader(index)
        return try unsafe [UInt8](unsafeUninitializedCapacity: Self.bytes) { buffer, count in
            while count < buffer.count, case let got = try unsafe reader.read(into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]), at: count), got > 0 { count += got }
        }
    }
}

import TensorStreams
import ToolSupport

/// What a data set is known by, so that machines with other data of the same name do not train together, and rows are not joined to other images.
extension Dataset {
    /// So many images are looked at, spread over the data.
    private static let looked = 32
    /// And so many bytes of each.
    private static let bytes = 1 << 20

    /// A hash of all images' names and labels, and of the bytes of some: where labels follow from a list of classes it is of that list too.
    public var contentHash: String {
        var hash = XXH64()
        func add(_ bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe hash.update($0) } }
        for sample in samples {
            add(sample.pathBytes)
            unsafe withUnsafeBytes(of: Int64(sample.label).littleEndian) { unsafe hash.update($0) }
        }
        let count = min(samples.count, Self.looked)
        for number in 0..<count {
            // One that cannot be read is told when its turn comes.
            if let bytes = try? beginning(of: number * samples.count / count) { add(bytes) }
        }
        return hash.text
    }

    private func beginning(of index: Int) throws -> [UInt8] {
        let reader = try reader(index)
        return try unsafe [UInt8](unsafeUninitializedCapacity: Self.bytes) { buffer, count in
            while count < buffer.count, case let got = try unsafe reader.read(into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...]), at: count), got > 0 { count += got }
        }
    }
}

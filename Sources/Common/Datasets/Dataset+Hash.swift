import TensorStreams
import ToolSupport

/// A hash that identifies a data set, so that machines with different data of the same name do not train together, and
/// rows are not matched with other images.
extension Dataset {
    /// The number of images that are hashed, spread over the data.
    private static let looked = 32
    /// The maximum number of bytes hashed of each.
    private static let bytes = 1 << 20

    /// A hash of all images' names and labels, and of the bytes of some images. Where labels depend on a list of
    /// classes, the hash depends on that list too.
    public var contentHash: String {
        var hash = XXH64()
        func add(_ bytes: [UInt8]) { unsafe bytes.withUnsafeBytes { unsafe hash.update($0) } }
        for sample in samples {
            add(sample.pathBytes)
            unsafe withUnsafeBytes(of: Int64(sample.label).littleEndian) { unsafe hash.update($0) }
        }
        let count = min(samples.count, Self.looked)
        for number in 0..<count {
            // A read error is reported when the image is used.
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

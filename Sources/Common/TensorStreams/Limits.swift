/// The limits of a reader; each is checked before memory of that size is allocated.
public struct Limits: Sendable {
    /// The size of a document's JSON header in bytes.
    public var headerBytes: Int
    public var tensorCount: Int
    /// The number of entries of `__metadata__`.
    public var metadataCount = 10_000
    /// The number of dimensions of one tensor.
    public var rank: Int
    /// The size of a whole document in bytes.
    public var documentBytes: Int
    /// The base-two logarithm of the window size that a zstd frame may require; 27 is zstd's own default limit.
    public var windowLog: Int

    public init(headerBytes: Int, tensorCount: Int, rank: Int = 16, documentBytes: Int, windowLog: Int = 27) {
        self.headerBytes = headerBytes
        self.tensorCount = tensorCount
        self.rank = rank
        self.documentBytes = documentBytes
        self.windowLog = windowLog
    }

    /// For the records of a stream: a batch of 2 GiB is 14,000 images of 224².
    public static let standard = Limits(headerBytes: 16 << 20, tensorCount: 10_000, documentBytes: 2 << 30)

    /// For a checkpoint of 16 GiB. The header limit is below the safetensors library's 100 MB, because a tensor takes
    /// little more than a hundred bytes of the header, and its parsed contents take several times its length in memory.
    public static let checkpoint = Limits(headerBytes: 16 << 20, tensorCount: 100_000, documentBytes: 16 << 30)
}

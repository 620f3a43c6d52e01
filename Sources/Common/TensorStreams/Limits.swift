/// What a reader accepts; each is checked before memory of that size is asked for.
public struct Limits: Sendable {
    /// Bytes of a document's JSON header.
    public var headerBytes: Int
    public var tensorCount: Int
    /// Entries of `__metadata__`.
    public var metadataCount = 10_000
    /// Dimensions of one tensor.
    public var rank: Int
    /// Bytes of a whole document.
    public var documentBytes: Int
    /// The base-two logarithm of the memory a zstd frame may ask its decoder to keep; 27 is zstd's own bound.
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

    /// For a checkpoint of 16 GiB. Its header may be shorter than the safetensors library's limit of 100 MB, for a tensor takes little more
    /// than a hundred bytes of it, and what is in it takes several times its length in memory.
    public static let checkpoint = Limits(headerBytes: 16 << 20, tensorCount: 100_000, documentBytes: 16 << 30)
}

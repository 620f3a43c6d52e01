import Archives
import ToolSupport

/// How much one archive may unpack to, and all of a data set's archives may keep in memory.
///
/// JPEGs hardly compress. So a small archive that unpacks to very much holds something else, and is refused before it takes the machine's memory
/// (unpacked bytes stay in the decompressor's window too).
struct UnpackingLimit {
    /// The most bytes of images, and of names, kept for one data set.
    static let memory = 2 << 30
    /// An archive may unpack to so much, whatever its size,
    static let free = 96 << 20
    /// or to so many times its size.
    static let ratio = 32

    private let path: BytePath
    private let most: Int
    private var unpacked = 0
    private(set) var kept: Int

    init(_ path: BytePath, size: Int, kept: Int) {
        self.path = path
        self.kept = kept
        most = max(UnpackingLimit.free, size.multipliedReportingOverflow(by: UnpackingLimit.ratio).partialValue)
    }

    /// Begins to read the archive once more.
    mutating func begin() { unpacked = 0 }

    /// Counts bytes that come out of the archive.
    mutating func unpack(_ count: Int) throws { try unpack(to: unpacked + count) }

    /// So many bytes have come out of the archive.
    mutating func unpack(to count: Int) throws {
        unpacked = count
        guard unpacked <= most else {
            throw Failure(
                .data, path: path.description, "unpacks to more than \(UnpackingLimit.ratio) times its size (and \(UnpackingLimit.free >> 20) MiB), as JPEGs do not",
                remedy: "unpack it, or make it a plain tar")
        }
    }

    /// Counts bytes that stay in memory.
    mutating func keep(_ count: Int) throws {
        kept += count
        guard kept <= UnpackingLimit.memory else {
            throw Failure(
                .data, path: path.description,
                "holds more than \(UnpackingLimit.memory >> 30) GiB of images, which would have to be kept in memory because it is compressed",
                remedy: "unpack it, or make it a plain tar")
        }
    }
}

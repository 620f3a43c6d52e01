import Archives
import ToolSupport

/// Limits how much one archive may unpack to, and how much all archives of a data set may keep in memory.
///
/// JPEGs hardly compress. So a small archive that unpacks to very much contains something else, and is rejected before
/// it uses up the memory (unpacked bytes stay in the decompressor's window too).
struct UnpackingLimit {
    /// The maximum number of bytes of images, and of names, kept for one data set.
    static let memory = 2 << 30
    /// The bytes that an archive of any size may unpack to.
    static let free = 96 << 20
    /// Larger archives may unpack to this many times their size.
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

    /// Starts to read the archive again.
    mutating func begin() { unpacked = 0 }

    /// Counts bytes that were unpacked.
    mutating func unpack(_ count: Int) throws { try unpack(to: unpacked + count) }

    /// Sets the total number of unpacked bytes.
    mutating func unpack(to count: Int) throws {
        unpacked = count
        guard unpacked <= most else {
            throw Failure(
                .data, path: path.description, "unpacks to more than \(UnpackingLimit.ratio) times its size (and \(UnpackingLimit.free >> 20) MiB), which JPEGs never do",
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

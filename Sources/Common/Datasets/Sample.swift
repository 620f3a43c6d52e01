public import Archives

/// One image of a data set: its path, its label and the location of its bytes.
public struct Sample: Sendable {
    /// The path in the data set.
    public let path: BytePath
    /// The number of its class; −1 without a class.
    public let label: Int
    let location: Location

    /// The bytes of the path.
    public var pathBytes: [UInt8] { path.bytes }

    /// The path as text.
    public var name: String { path.description }

    enum Location: Sendable {
        /// A separate file.
        case file
        /// A range of an uncompressed archive; `archive` is the index among the data set's archives.
        case part(archive: Int, offset: Int, count: Int)
        /// Bytes of an archive, kept in memory.
        case memory(archive: Int, bytes: KeptBytes)

        var archive: Int? {
            switch self {
            case .file: nil
            case .part(let archive, _, _), .memory(let archive, _): archive
            }
        }
    }
}

/// An image that was found, before splits and classes are determined.
struct Member {
    let path: BytePath
    let location: Sample.Location
}

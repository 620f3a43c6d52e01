public import Archives

/// One image of a data set: what it is called and where its bytes are.
public struct Sample: Sendable {
    /// The path in the data set.
    public let path: BytePath
    /// The number of its class; −1 if it has none.
    public let label: Int
    let location: Location

    /// The bytes of the path.
    public var pathBytes: [UInt8] { path.bytes }

    /// The path as text.
    public var name: String { path.description }

    enum Location: Sendable {
        /// A file of its own.
        case file
        /// Bytes of an archive that is not compressed; `archive` numbers the data set's archives.
        case part(archive: Int, offset: Int, count: Int)
        /// Bytes of an archive that were read into memory.
        case memory(archive: Int, bytes: KeptBytes)

        var archive: Int? {
            switch self {
            case .file: nil
            case .part(let archive, _, _), .memory(let archive, _): archive
            }
        }
    }
}

/// An image that was found, before splits and classes are known.
struct Member {
    let path: BytePath
    let location: Sample.Location
}

/// One picture of a data set: what it is called and where its bytes are.
public struct Sample: Sendable {
    /// The path in its folder or archive, parts separated by `/`.
    public let name: String
    /// The number of its class; −1 if it has none.
    public let label: Int
    let place: Place

    enum Place: Sendable {
        /// A file of its own, at this path.
        case file(String)
        /// Bytes of an archive that is not compressed; `archive` numbers the data set's archives.
        case part(archive: Int, offset: Int, count: Int)
        /// Bytes of an archive that was read into memory.
        case memory(archive: Int, bytes: [UInt8])
    }
}

/// A picture that was found, before classes are known.
struct Member {
    /// "" for a file in a folder.
    let archive: String
    let name: String
    let place: Sample.Place
}

/// What a look into a folder or archive brought.
struct Listing {
    var members: [Member] = []
    /// Files and members that are not taken for pictures: other names, hidden ones, links, devices.
    var ignored = 0
    /// Bytes of pictures held in memory.
    var held = 0

    /// Whether a file of this name is taken for a picture.
    static func isPicture(_ name: String) -> Bool {
        let file = name.split(separator: "/").last ?? ""
        // Hidden ones too would be things like the "._7.jpg" that a Mac puts into archives, which are no pictures.
        guard !file.hasPrefix("."), let dot = file.lastIndex(of: ".") else { return false }
        return ["jpg", "jpeg", "jpe"].contains(file[file.index(after: dot)...].lowercased())
    }
}

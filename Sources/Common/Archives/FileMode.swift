public import Platform

extension mode_t {
    public var isFile: Bool { self & S_IFMT == S_IFREG }
    public var isFolder: Bool { self & S_IFMT == S_IFDIR }
    public var isLink: Bool { self & S_IFMT == S_IFLNK }

    /// "a named pipe".
    public var kind: String {
        switch self & S_IFMT {
        case S_IFIFO: "a named pipe (FIFO)"
        case S_IFSOCK: "a socket"
        case S_IFCHR, S_IFBLK: "a device"
        case S_IFDIR: "a folder"
        default: "of an unknown kind"
        }
    }
}

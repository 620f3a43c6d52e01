import Platform

/// Which file a name or a descriptor is: two that are equal are the same file, whatever the names.
struct FileIdentity: Equatable {
    let device: dev_t
    let inode: ino_t

    init(device: dev_t, inode: ino_t) {
        self.device = device
        self.inode = inode
    }

    /// The file of an open descriptor.
    init?(of descriptor: CInt) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        self.init(device: status.st_dev, inode: status.st_ino)
    }

    /// What lies at `path` itself, not where a link there leads. A signal's handler may ask.
    init?(at path: UnsafePointer<CChar>) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        self.init(device: status.st_dev, inode: status.st_ino)
    }
}

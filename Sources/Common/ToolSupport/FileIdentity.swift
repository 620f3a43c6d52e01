import Platform

/// The identity of a file: equal values mean the same file, whatever the names.
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

    /// The identity of `path` itself, without following a link. It is safe in a signal handler.
    init?(at path: UnsafePointer<CChar>) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        self.init(device: status.st_dev, inode: status.st_ino)
    }
}

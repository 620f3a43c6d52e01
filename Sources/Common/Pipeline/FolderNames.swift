import Platform

/// The names in a folder.
enum FolderNames {
    /// But `.` and `..`, in no order; none where the folder cannot be read.
    static func all(in folder: String) -> [String] {
        guard let handle = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(handle) }
        var names: [String] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self)) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a file, or a folder with all that is in it; links are removed, not followed. False where something stayed.
    @discardableResult
    static func remove(_ path: String) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return errno == ENOENT }
        guard status.st_mode & S_IFMT == S_IFDIR else { return unsafe unlink(path) == 0 }
        for name in all(in: path) { remove(path + "/" + name) }
        return unsafe rmdir(path) == 0
    }
}

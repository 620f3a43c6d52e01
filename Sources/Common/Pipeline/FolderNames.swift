import Platform
import ToolSupport

/// Operations on the names in a folder.
public enum FolderNames {
    /// The names except `.` and `..`, in no particular order; empty if the folder cannot be read.
    static func all(in folder: String) -> [String] {
        (FolderEntries.names(Array(folder.utf8)) ?? []).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Removes a file, or a folder with its contents. Links are removed, not followed. Returns false if something
    /// remains.
    @discardableResult
    public static func remove(_ path: String) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return errno == ENOENT }
        guard status.st_mode & S_IFMT == S_IFDIR else { return unsafe unlink(path) == 0 }
        for name in all(in: path) { remove(path + "/" + name) }
        return unsafe rmdir(path) == 0
    }
}

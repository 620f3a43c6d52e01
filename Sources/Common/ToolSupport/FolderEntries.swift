import Platform

/// The names in a folder, as bytes that need not be UTF-8.
public enum FolderEntries {
    /// All names except `.` and `..`, in no particular order.
    ///
    /// - Parameter path: without a zero byte.
    /// - Returns: nil, with `errno` set, where the folder cannot be opened or read to its end.
    public static func names(_ path: [UInt8]) -> [[UInt8]]? {
        let opened = unsafe (path + [0]).withUnsafeBytes { bytes in
            unsafe bytes.assumingMemoryBound(to: CChar.self).baseAddress.flatMap { unsafe opendir($0) }
        }
        guard let folder = unsafe opened else { return nil }
        defer { unsafe closedir(folder) }
        var names: [[UInt8]] = []
        while true {
            Platform.errno = 0
            guard let entry = unsafe readdir(folder) else { return Platform.errno == 0 ? names : nil }
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
            if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
        }
    }
}

import Platform

/// Files that are read as a whole.
public enum SmallFile {
    /// The bytes of the file at `path`, which may be a pipe.
    ///
    /// - Parameters:
    ///   - limit: the maximum number of bytes, also in memory.
    ///   - name: the file's name in messages; nil for its path.
    ///   - kind: the expected kind of file, for messages: "a result".
    ///   - tooLarge: the failure's kind where the file exceeds the limit.
    /// - Throws: a ``Failure``: `noInput` where it cannot be opened, `io` where it cannot be read, `tooLarge`.
    public static func bytes(
        _ path: String, limit: Int, name: String? = nil, of kind: String, tooLarge: Failure.Kind = .data
    ) throws -> [UInt8] {
        let name = name ?? path
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure.errno(.noInput, path: name, "cannot open it") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        let isWhole = try DescriptorBytes.forEach(descriptor, chunk: min(limit + 1, 1 << 16)) { chunk in
            guard bytes.count + chunk.count <= limit else { throw Failure(tooLarge, path: name, "is larger than \(limit >> 20) MiB, which \(kind) never is") }
            bytes += chunk
        }
        guard isWhole else { throw Failure.errno(.io, path: name, "cannot read it") }
        return bytes
    }
}

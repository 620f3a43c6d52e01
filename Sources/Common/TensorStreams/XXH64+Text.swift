import Platform
import ToolSupport

/// Hashes as 16 hexadecimal digits, the form in a run's files.
extension XXH64 {
    /// The hash of the bytes of the file at `path`.
    public static func ofFile(_ path: String) throws -> String {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Failure.errno(.noInput, path: path, "cannot open it") }
        defer { close(descriptor) }
        var hash = XXH64()
        let isWhole = DescriptorBytes.forEach(descriptor, chunk: 1 << 20) { chunk in unsafe chunk.withUnsafeBytes { unsafe hash.update($0) } }
        guard isWhole else { throw Failure.errno(.io, path: path, "cannot read it") }
        return hash.text
    }

    /// The ``text`` of a hash with this ``value``.
    public static func text(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The hash of `words`, each prefixed with its length, so that different lists never give the same text.
    public static func of(_ words: [String]) -> String {
        var hash = XXH64()
        for word in words {
            var text = "\(word.utf8.count):\(word);"
            text.withUTF8 { unsafe hash.update(UnsafeRawBufferPointer($0)) }
        }
        return hash.text
    }
}

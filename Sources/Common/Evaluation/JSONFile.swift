import TensorStreams
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Small JSON files that tools leave for each other.
enum JSONFile {
    /// More than any result or log has.
    private static let limit = 256 << 20

    /// The one value in the file.
    static func read(_ path: String) throws -> JSON {
        try parse(bytes(path)[...], path: path, line: nil)
    }

    /// The values in the file: one, or one on every line.
    static func readLines(_ path: String) throws -> [JSON] {
        let bytes = try bytes(path)
        if let whole = try? JSON(parsing: bytes) { return [whole] }
        return try bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated().compactMap { number, line in
            line.allSatisfy { $0 == 0x20 || $0 == 0x0D || $0 == 0x09 } ? nil : try parse(line, path: path, line: number + 1)
        }
    }

    private static func parse(_ bytes: ArraySlice<UInt8>, path: String, line: Int?) throws -> JSON {
        do {
            return try JSON(parsing: Array(bytes))
        } catch let failure as Failure {
            let place = [line.map { "line \($0)" }, failure.place].compactMap { $0 }.joined(separator: ", ")
            throw Failure(.data, path: path, place: place, failure.what)
        }
    }

    private static func bytes(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure.errno(.noInput, path: path, "cannot open it") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure.errno(.io, path: path, "cannot read it") }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw Failure(.data, path: path, "is larger than \(limit >> 20) MB, which no result is") }
        }
    }
}

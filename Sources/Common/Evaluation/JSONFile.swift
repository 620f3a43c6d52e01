public import TensorStreams
import ToolSupport

/// Small JSON files that tools exchange.
public enum JSONFile {
    /// Larger than any result or log.
    private static let limit = 256 << 20

    /// The single value in the file.
    public static func read(_ path: String) throws -> JSON {
        try parse(bytes(path)[...], path: path, line: nil)
    }

    /// The values in the file: one, or one per line.
    public static func readLines(_ path: String) throws -> [JSON] {
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
            let location = [line.map { "line \($0)" }, failure.location].compactMap { $0 }.joined(separator: ", ")
            throw Failure(.data, path: path, location: location, failure.what)
        }
    }

    private static func bytes(_ path: String) throws -> [UInt8] { try SmallFile.bytes(path, limit: limit, of: "a result") }
}

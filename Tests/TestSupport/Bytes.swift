import Platform
public import Testing
public import ToolSupport

/// A file's bytes. It is an issue if it cannot be opened.
public func bytes(of path: String, sourceLocation: SourceLocation = #_sourceLocation) -> [UInt8] {
    guard let file = fopen(path, "r") else {
        Issue.record("\(path) cannot be opened", sourceLocation: sourceLocation)
        return []
    }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return bytes
}

public func write(_ bytes: [UInt8], to path: String) {
    let file = fopen(path, "w")!
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
}

public func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

/// The failure in which `body` must end.
public func failure(_ body: () throws -> Void) -> Failure? {
    do {
        try body()
        return nil
    } catch {
        return error as? Failure
    }
}

import TensorStreams
import ToolSupport

/// Tensors that another program keeps apart and we keep as one: `NAME#0`, `NAME#1` …, one behind the other along the first dimension.
enum TensorParts {
    /// The whole's name and the part's number.
    private static func split(_ name: String) -> (whole: String, number: Int)? {
        guard let mark = name.lastIndex(of: "#"), let number = Int(name[name.index(after: mark)...]) else { return nil }
        return (String(name[..<mark]), number)
    }

    /// Names of parts in order, by the whole's name.
    ///
    /// - Throws: ``Failure`` where a part is missing.
    private static func groups(_ names: some Sequence<String>, path: String) throws -> [String: [String]] {
        var groups: [String: [Int: String]] = [:]
        for name in names { if let (whole, number) = split(name) { groups[whole, default: [:]][number] = name } }
        return try Dictionary(uniqueKeysWithValues: groups.map { whole, parts in
            let ordered = (0..<3).compactMap { parts[$0] }
            guard ordered.count == 3, parts.count == 3 else { throw Failure(.data, path: path, "has \(parts.count) of the 3 parts of '\(whole.printableLine(limit: 80))'") }
            return (whole, ordered)
        })
    }

    private static func unequal(_ whole: String, path: String) -> Failure {
        Failure(.data, path: path, "has parts of '\(whole.printableLine(limit: 80))' whose types or shapes differ")
    }

    static func join(_ tensors: [TensorOutline], path: String) throws -> [TensorOutline] {
        let groups = try groups(tensors.map(\.name), path: path)
        guard !groups.isEmpty else { return tensors }
        let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
        return try tensors.filter { split($0.name) == nil } + groups.sorted { $0.key < $1.key }.map { whole, names in
            let parts = names.compactMap { byName[$0] }
            guard let first = parts.first, let size = first.shape.first, parts.allSatisfy({ $0.dtype == first.dtype && $0.shape == first.shape }), size < 1 << 24 else {
                throw unequal(whole, path: path)
            }
            return TensorOutline(
                name: whole, dtype: first.dtype, shape: [size * parts.count] + first.shape.dropFirst(), byteCount: first.byteCount * parts.count)
        }
    }

    static func join(_ tensors: [String: Tensor], path: String) throws -> [String: Tensor] {
        let groups = try groups(tensors.keys, path: path)
        var joined = tensors.filter { split($0.key) == nil }
        for (whole, names) in groups {
            let parts = names.compactMap { tensors[$0] }
            guard let first = parts.first, let size = first.shape.first, parts.allSatisfy({ $0.dtype == first.dtype && $0.shape == first.shape }) else {
                throw unequal(whole, path: path)
            }
            joined[whole] = unsafe Tensor(dtype: first.dtype, shape: [size * parts.count] + first.shape.dropFirst()) { bytes in
                for (index, part) in parts.enumerated() {
                    unsafe part.withBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[(index * $0.count)...]).copyMemory(from: $0) }
                }
            }
        }
        return joined
    }
}

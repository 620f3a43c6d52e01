import TensorStreams
import ToolSupport

/// A tensor of another program that is a part of one of ours, along the first dimension.
struct TensorPart: Hashable, Sendable {
    /// Our name of the whole tensor.
    let whole: String
    /// The index of the part, from 0.
    let index: Int
    /// The number of parts of the whole tensor.
    let count: Int
}

/// Tensors that another program keeps separate and that are concatenated here along the first dimension.
struct TensorParts {
    private struct Whole {
        let name: String
        /// The names of its parts in the file, in order.
        let parts: [String]
    }

    private let wholes: [Whole]

    /// - Parameters:
    ///   - parts: the parts, by name in the file.
    ///   - path: the file's name, for messages.
    /// - Throws: ``Failure`` where a part is missing.
    init(_ parts: [String: TensorPart], path: String) throws {
        let groups = Dictionary(grouping: parts.sorted { ($0.value.index, $0.key) < ($1.value.index, $1.key) }) { $0.value.whole }
        wholes = try groups.sorted { $0.key < $1.key }.map { name, members in
            let count = members.first?.value.count ?? 0
            guard members.map(\.value.index) == Array(0..<count) else {
                throw Failure(.data, path: path, "has \(members.count) of the \(count) parts of '\(name.printableLine(limit: 80))': \(listed(members.map(\.key), quote: "'"))")
            }
            return Whole(name: name, parts: members.map(\.key))
        }
    }

    /// The outlines of the whole tensors, given the `tensors` of the file.
    ///
    /// - Throws: ``Failure`` where the types or shapes of the parts differ.
    func outlines(of tensors: [TensorOutline], path: String) throws -> [TensorOutline] {
        let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
        return try wholes.map { whole in
            let parts = whole.parts.compactMap { byName[$0] }
            guard let first = parts.first, let size = first.shape.first, parts.allSatisfy({ $0.dtype == first.dtype && $0.shape == first.shape }), size < 1 << 24 else {
                throw Failure(.data, path: path, "has parts of '\(whole.name.printableLine(limit: 80))' whose types or shapes differ: \(listed(whole.parts, quote: "'"))")
            }
            return TensorOutline(name: whole.name, dtype: first.dtype, shape: [size * parts.count] + first.shape.dropFirst(), byteCount: first.byteCount * parts.count)
        }
    }

    /// The whole tensors, by our names.
    ///
    /// Removes the parts from `tensors`. The ``outlines(of:path:)`` of the file must have been made before.
    func joined(takingFrom tensors: inout [String: Tensor]) -> [String: Tensor] {
        var joined: [String: Tensor] = [:]
        for whole in wholes {
            let parts = whole.parts.compactMap { tensors.removeValue(forKey: $0) }
            guard let first = parts.first, let size = first.shape.first else { continue }
            joined[whole.name] = unsafe Tensor(dtype: first.dtype, shape: [size * parts.count] + first.shape.dropFirst()) { bytes in
                for (index, part) in parts.enumerated() {
                    unsafe part.withBytes { unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[(index * $0.count)...]).copyMemory(from: $0) }
                }
            }
        }
        return joined
    }
}

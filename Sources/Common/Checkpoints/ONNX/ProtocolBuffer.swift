import ToolSupport

/// A Protocol Buffers message for writing: concatenated fields (protobuf.dev, "Encoding").
struct ProtocolBuffer {
    private enum Piece {
        case bytes([UInt8])
        /// A number of floats that are created when they are written.
        case floats(Int, () -> [Float])
    }

    /// The completed pieces, and the bytes after them.
    private var pieces: [Piece] = []
    private var rest: [UInt8] = []
    private var count = 0

    private mutating func append(_ bytes: [UInt8]) {
        count += bytes.count
        rest += bytes
    }

    private mutating func append(_ floats: Int, _ make: @escaping () -> [Float]) {
        count += 4 * floats
        pieces += [.bytes(rest), .floats(floats, make)]
        rest = []
    }

    private mutating func varint(_ value: UInt64) {
        var value = value, bytes: [UInt8] = []
        while value >= 0x80 {
            bytes.append(UInt8(value & 0x7F) | 0x80)
            value >>= 7
        }
        append(bytes + [UInt8(value)])
    }

    mutating func add(_ field: Int, _ value: Int) {
        varint(UInt64(field) << 3)
        varint(UInt64(bitPattern: Int64(value)))
    }

    mutating func add(_ field: Int, _ value: Float) {
        varint(UInt64(field) << 3 | 5)
        append(stride(from: 0, to: 32, by: 8).map { UInt8(truncatingIfNeeded: value.bitPattern >> UInt32($0)) })
    }

    mutating func add(_ field: Int, _ value: String) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(value.utf8.count))
        append(Array(value.utf8))
    }

    /// Adds `count` floats of four bytes each.
    mutating func add(_ field: Int, count floats: Int, _ make: @escaping () -> [Float]) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(4 * floats))
        append(floats, make)
    }

    mutating func add(_ field: Int, _ value: ProtocolBuffer) {
        varint(UInt64(field) << 3 | 2)
        varint(UInt64(value.count))
        for piece in value.pieces {
            switch piece {
            case .bytes(let bytes): append(bytes)
            case .floats(let count, let make): append(count, make)
            }
        }
        append(value.rest)
    }

    func write(to output: inout OutputFile) throws {
        for piece in pieces {
            switch piece {
            case .bytes(let bytes): try unsafe output.write(bytes.span.bytes)
            case .floats(let count, let make):
                let values = make()
                // The enclosing lengths are already written.
                precondition(values.count == count)
                try unsafe output.write(values.span.bytes)
            }
        }
        try unsafe output.write(rest.span.bytes)
    }
}

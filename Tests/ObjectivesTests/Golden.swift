import Foundation

/// The numbers that Tests/golden/objectives.py wrote: a safetensors document read in the plainest way.
struct Golden {
    private struct Entry: Decodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]
    }

    private let entries: [String: Entry]
    private let data: [UInt8]

    init(_ name: String = "objectives") throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let bytes = [UInt8](try Data(contentsOf: folder.appending(path: "golden/\(name).safetensors")))
        let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        entries = try JSONDecoder().decode([String: Entry].self, from: Data(bytes[8..<8 + length]))
        data = Array(bytes[(8 + length)...])
    }

    func shape(_ name: String) throws -> [Int] { try entry(name).shape }

    func floats(_ name: String) throws -> [Float] { try words(name, "F32").map { Float(bitPattern: $0) } }

    func integers(_ name: String) throws -> [Int32] { try words(name, "I32").map { Int32(bitPattern: $0) } }

    private func entry(_ name: String) throws -> Entry {
        guard let entry = entries[name] else { throw CocoaError(.coderValueNotFound) }
        return entry
    }

    private func words(_ name: String, _ dtype: String) throws -> [UInt32] {
        let entry = try entry(name)
        guard entry.dtype == dtype else { throw CocoaError(.coderReadCorrupt) }
        return stride(from: entry.data_offsets[0], to: entry.data_offsets[1], by: 4).map { i in
            (0..<4).reduce(0) { $0 | UInt32(data[i + $1]) << (8 * UInt32($1)) }
        }
    }
}

import TestSupport

/// Makes pickles of tensors instruction by instruction, valid and invalid.
protocol PickleMaking {}

extension PickleMaking {
    /// A file in the older format whose value is `pickle`, with one storage of four floats.
    func legacy(_ pickle: [UInt8], keys: [String] = ["0"], elements: [UInt8] = [4, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 16)) -> [UInt8] {
        let magic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
        let list = [0x80, 2, 0x5D] as [UInt8] + keys.flatMap { text($0) + [0x61] } + [0x2E]
        return magic + [0x80, 2, 0x4D, 0xE9, 3, 0x2E] + [0x80, 2, 0x7D, 0x2E] + [0x80, 2] + pickle + [0x2E] + list + elements
    }

    func text(_ text: String) -> [UInt8] { [0x58] + littleEndian(UInt32(text.utf8.count)) + text.utf8 }
    func number(_ number: Int) -> [UInt8] { [0x8A, 8] + littleEndian(Int64(number)) }
    func name(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
    func tuple(_ parts: [UInt8]...) -> [UInt8] { [0x28] + parts.flatMap { $0 } + [0x74] }

    /// A dictionary with the tensor `a` as a view of a storage of `count` floats.
    func dictionary(count: Int = 4, offset: Int = 0, _ shape: [Int], _ strides: [Int], key: String = "0", view: [UInt8] = [0x4E], twice: Bool = false) -> [UInt8] {
        let tensor = tensor(count: count, offset: offset, shape, strides, key: key, view: view)
        return [0x7D, 0x28] + text("a") + tensor + (twice ? text("a") + tensor : []) + [0x75]
    }

    func dictionary(_ entries: (key: String, value: [UInt8])...) -> [UInt8] {
        entries.reduce(into: [0x7D]) { pickle, entry in pickle += text(entry.key) + entry.value + [0x73] }
    }

    func tensor(count: Int = 4, offset: Int = 0, _ shape: [Int], _ strides: [Int], key: String = "0", view: [UInt8] = [0x4E]) -> [UInt8] {
        let storage = tuple(text("storage"), name("torch", "FloatStorage"), text(key), text("cpu"), number(count), view) + [0x51]
        let sizes = [0x28] as [UInt8] + shape.flatMap { number($0) } + [0x74], steps = [0x28] as [UInt8] + strides.flatMap { number($0) } + [0x74]
        return name("torch._utils", "_rebuild_tensor_v2") + tuple(storage, number(offset), sizes, steps, [0x89], [0x4E]) + [0x52]
    }
}

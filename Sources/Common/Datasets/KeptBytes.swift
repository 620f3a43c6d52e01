import Platform
import ToolSupport

/// Bytes of a member that stay in memory: a part of a block that many share.
struct KeptBytes: Sendable {
    let block: MemoryBlock
    let offset: Int
    let count: Int

    /// Copies those from `start` on to `buffer` and gives their number.
    func read(into buffer: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
        let length = max(0, min(buffer.count, count - start))
        if length > 0 { unsafe buffer.copyMemory(from: block.bytes(offset + start, length)) }
        return length
    }
}

/// Memory that is filled once, from the front, and then only read.
///
/// Swift's arrays end the process when memory is short; this throws.
@safe final class MemoryBlock: @unchecked Sendable {
    private let start: UnsafeMutableRawPointer
    let capacity: Int
    private(set) var used = 0

    init(capacity: Int) throws {
        guard let start = unsafe malloc(max(1, capacity)) else { throw Failure(.io, "there is no memory for \(capacity) bytes of images") }
        unsafe self.start = start
        self.capacity = capacity
    }

    deinit { unsafe free(start) }

    func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= capacity - used)
        if let source = bytes.baseAddress { unsafe memcpy(start + used, source, bytes.count) }
        used += bytes.count
    }

    /// Takes back what was appended behind `offset`.
    func shorten(to offset: Int) { used = min(used, offset) }

    func bytes(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        precondition(offset >= 0 && count >= 0 && offset + count <= used)
        return unsafe UnsafeRawBufferPointer(start: start + offset, count: count)
    }
}

/// Puts the bytes of members one behind the other into blocks.
struct MemoryStore {
    private static let blockSize = 4 << 20
    private var block: MemoryBlock?
    private var start = 0

    /// Begins a member.
    mutating func begin() { start = block?.used ?? 0 }

    /// Adds to the member that was begun last.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        let count = bytes.count
        if let block, count <= block.capacity - block.used {
            unsafe block.append(bytes)
            return
        }
        // The member moves to a block that has room for it all; of a large one at least as much again as there is.
        let before = (block?.used ?? 0) - start
        let next = try MemoryBlock(capacity: max(MemoryStore.blockSize, (before + count) * 3 / 2))
        if let block, before > 0 {
            unsafe next.append(block.bytes(start, before))
            block.shorten(to: start)
        }
        unsafe next.append(bytes)
        (block, start) = (next, 0)
    }

    /// The member that was begun last.
    mutating func end() throws -> KeptBytes {
        let block = try self.block ?? MemoryBlock(capacity: MemoryStore.blockSize)
        self.block = block
        return KeptBytes(block: block, offset: start, count: block.used - start)
    }
}

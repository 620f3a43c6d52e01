import Platform
import ToolSupport

/// The bytes of a member that stay in memory: a range of a shared block.
struct KeptBytes: Sendable {
    let block: MemoryBlock
    let offset: Int
    let count: Int

    /// Copies the bytes from `start` on to `buffer` and returns their number.
    func read(into buffer: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
        let length = max(0, min(buffer.count, count - start))
        if length > 0 { unsafe buffer.copyMemory(from: block.bytes(offset + start, length)) }
        return length
    }
}

/// Memory that is filled once, from the front, and then only read.
///
/// Swift's arrays terminate the process when memory is short; this throws.
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

    /// Removes the bytes after `offset`.
    func shorten(to offset: Int) { used = min(used, offset) }

    func bytes(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
        precondition(offset >= 0 && count >= 0 && offset + count <= used)
        return unsafe UnsafeRawBufferPointer(start: start + offset, count: count)
    }
}

/// Stores the bytes of members one after the other in blocks.
struct MemoryStore {
    private static let blockSize = 4 << 20
    private var block: MemoryBlock?
    private var start = 0

    /// Begins a member.
    mutating func begin() { start = block?.used ?? 0 }

    /// Appends to the current member.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        let count = bytes.count
        if let block, count <= block.capacity - block.used {
            unsafe block.append(bytes)
            return
        }
        // Moves the member to a block large enough for all of it; a large member gets half as much space again.
        let before = (block?.used ?? 0) - start
        let next = try MemoryBlock(capacity: max(MemoryStore.blockSize, (before + count) * 3 / 2))
        if let block, before > 0 {
            unsafe next.append(block.bytes(start, before))
            block.shorten(to: start)
        }
        unsafe next.append(bytes)
        (block, start) = (next, 0)
    }

    /// Ends the current member and returns it.
    mutating func end() throws -> KeptBytes {
        let block = try self.block ?? MemoryBlock(capacity: MemoryStore.blockSize)
        self.block = block
        return KeptBytes(block: block, offset: start, count: block.used - start)
    }
}

import Platform
import Synchronization
import ToolSupport

/// The bytes that tensors are views of: 64-byte aligned, and written once before they are shared.
final class TensorStorage: @unchecked Sendable {
    /// A cache line, and enough for every vector instruction.
    static let alignment = 64

    let byteCount: Int
    private let memory: Memory
    private let pool: BufferPool?

    /// Uninitialised memory.
    convenience init(byteCount: Int) throws {
        self.init(byteCount: byteCount, memory: try Memory(capacity: byteCount), pool: nil)
    }

    fileprivate init(byteCount: Int, memory: Memory, pool: BufferPool?) {
        self.byteCount = byteCount
        self.memory = memory
        self.pool = pool
    }

    var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: memory.start, count: byteCount) }

    /// Writable bytes for the creator, before the storage is shared.
    var mutableBytes: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: memory.start, count: byteCount)
    }

    deinit {
        if let pool { pool.giveBack(memory) } else { memory.release() }
    }

    @safe fileprivate struct Memory: @unchecked Sendable {
        let start: UnsafeMutableRawPointer
        let capacity: Int

        init(capacity: Int) throws {
            // The size may come from a file: when memory is short, the user is told how much was wanted. Swift's own
            // `allocate` would terminate the process.
            let whole = (max(1, capacity) + TensorStorage.alignment - 1) / TensorStorage.alignment * TensorStorage.alignment
            guard let start = unsafe aligned_alloc(TensorStorage.alignment, whole)
            else { throw Failure(.io, "there is no memory for \(capacity) bytes") }
            unsafe self.start = start
            self.capacity = capacity
        }

        func release() { unsafe free(start) }
    }
}

/// Recycles the memory of documents that are no longer used: fresh pages cost more than reading the documents.
final class BufferPool: Sendable {
    /// One buffer is with the consumer, two are prefetched, one is being read.
    private static let kept = 4
    private let free = Mutex<[TensorStorage.Memory]>([])

    func take(byteCount: Int) throws -> TensorStorage {
        let found = free.withLock { free -> TensorStorage.Memory? in
            // Not a far larger one: a small document must not occupy a large buffer.
            let fits = free.lastIndex { $0.capacity >= byteCount && $0.capacity <= 2 * byteCount + 65536 }
            return fits.map { free.remove(at: $0) }
        }
        let memory = try found ?? TensorStorage.Memory(capacity: byteCount)
        return TensorStorage(byteCount: byteCount, memory: memory, pool: self)
    }

    fileprivate func giveBack(_ memory: TensorStorage.Memory) {
        let surplus = free.withLock { free -> TensorStorage.Memory? in
            free.append(memory)
            return free.count > BufferPool.kept ? free.removeFirst() : nil
        }
        surplus?.release()
    }

    deinit {
        free.withLock { free in
            for memory in free { memory.release() }
            free = []
        }
    }
}

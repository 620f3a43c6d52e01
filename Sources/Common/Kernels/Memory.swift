import CProcess
import Platform

/// Sixteen floats: one AVX-512 register, two of AVX2, four of NEON.
public typealias Vector = SIMD16<Float>

extension UnsafePointer<Float> {
    /// Loads the sixteen floats at `offset`, without alignment.
    @inlinable @inline(__always)
    public func vector(_ offset: Int) -> Vector { UnsafeRawPointer(self + offset).loadUnaligned(as: Vector.self) }

    /// Loads the eight floats at `offset`, followed by eight zeros.
    @inlinable @inline(__always)
    public func half(_ offset: Int) -> Vector {
        Vector(lowHalf: UnsafeRawPointer(self + offset).loadUnaligned(as: SIMD8<Float>.self), highHalf: .zero)
    }

    /// Loads the `count` < 16 floats at `offset`, followed by zeros. Memory past them is not read.
    @inlinable
    public func vector(_ offset: Int, count: Int) -> Vector {
        var v = Vector.zero
        for i in 0..<count { v[i] = self[offset + i] }
        return v
    }
}

extension UnsafeMutablePointer<Float> {
    /// Loads the sixteen floats at `offset`, without alignment.
    @inlinable @inline(__always)
    public func vector(_ offset: Int) -> Vector { UnsafeRawPointer(self + offset).loadUnaligned(as: Vector.self) }

    @inlinable @inline(__always)
    public func store(_ vector: Vector, _ offset: Int) { UnsafeMutableRawPointer(self + offset).storeBytes(of: vector, as: Vector.self) }

    /// As ``Swift/UnsafePointer/half(_:)``.
    @inlinable @inline(__always)
    public func half(_ offset: Int) -> Vector { UnsafePointer(self).half(offset) }

    /// As ``Swift/UnsafePointer/vector(_:count:)``.
    @inlinable @inline(__always)
    public func vector(_ offset: Int, count: Int) -> Vector { UnsafePointer(self).vector(offset, count: count) }

    /// Stores the first eight floats.
    @inlinable @inline(__always)
    public func storeHalf(_ vector: Vector, _ offset: Int) {
        UnsafeMutableRawPointer(self + offset).storeBytes(of: vector.lowHalf, as: SIMD8<Float>.self)
    }

    /// Stores the first `count` < 16 floats.
    @inlinable
    public func store(_ vector: Vector, _ offset: Int, count: Int) { for i in 0..<count { self[offset + i] = vector[i] } }
}

/// Owns a buffer of floats, aligned to a cache line and initially zero.
public final class FloatBuffer: @unchecked Sendable {
    public let count: Int
    public let pointer: UnsafeMutablePointer<Float>
    private let bytes: Int
    private let isMapped: Bool
    /// The owner of the memory, if this is a part of another buffer.
    private let whole: FloatBuffer?
    private static let large = 1 << 21
    /// Whether the address sanitizer is active. It detects accesses past a buffer, to the byte, for memory from its own
    /// allocator.
    private static let isWatched = dlsym(nil, "__asan_init") != nil

    public init(_ count: Int) {
        precondition(count >= 0)
        self.count = count
        whole = nil
        bytes = FloatBuffer.isWatched ? max(count, 1) * 4 : (max(count, 1) * 4 + 63) / 64 * 64
        isMapped = bytes >= FloatBuffer.large && !FloatBuffer.isWatched
        // Large buffers come directly from the kernel: zero without being written, and on huge pages, which cost fewer
        // page faults and TLB misses.
        if isMapped {
            guard let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), memory != MAP_FAILED else {
                seed_no_memory(bytes)
            }
            madvise(memory, bytes, 14 /* MADV_HUGEPAGE */)
            pointer = memory.bindMemory(to: Float.self, capacity: max(count, 1))
        } else {
            var memory: UnsafeMutableRawPointer?
            guard posix_memalign(&memory, 64, bytes) == 0, let memory else { seed_no_memory(bytes) }
            memset(memory, 0, bytes)
            pointer = memory.bindMemory(to: Float.self, capacity: max(count, 1))
        }
    }

    /// A part of another buffer, in the same memory.
    public init(part whole: FloatBuffer, from offset: Int, count: Int) {
        precondition(offset >= 0 && count >= 0 && offset + count <= whole.count)
        (self.whole, self.count, pointer, bytes, isMapped) = (whole, count, whole.pointer + offset, 4 * count, false)
    }

    public convenience init(_ values: [Float]) {
        self.init(values.count)
        values.withUnsafeBufferPointer { if let base = $0.baseAddress { pointer.update(from: base, count: values.count) } }
    }

    deinit {
        guard whole == nil else { return }
        if isMapped {
            munmap(pointer, bytes)
        } else {
            free(pointer)
        }
    }

    public var buffer: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: pointer, count: count) }
    public var mutable: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: pointer, count: count) }
    public var array: [Float] { Array(buffer) }

    public func zero() { memset(pointer, 0, count * 4) }
}

/// Memory for intermediate results, reused between calls: a part per thread and a part for all. Its contents never
/// outlive a piece of work.
public final class Scratch: @unchecked Sendable {
    /// The number of floats that a piece of work needs.
    public struct Need: Sendable, Equatable {
        public var worker: Int
        public var shared: Int

        public init(worker: Int = 0, shared: Int = 0) {
            self.worker = worker
            self.shared = shared
        }

        /// Grows to satisfy either need.
        public mutating func formUnion(_ other: Need) {
            worker = max(worker, other.worker)
            shared = max(shared, other.shared)
        }
    }

    private var buffers: [FloatBuffer?]
    private var common: FloatBuffer?

    /// The most threads that may use it at once.
    public var workers: Int { buffers.count }
    /// The number of floats it holds.
    public var count: Int { buffers.reduce(common?.count ?? 0) { $0 + ($1?.count ?? 0) } }

    public init(workers: Int) { buffers = Array(repeating: nil, count: workers) }

    /// Must not be called while pieces run.
    public func reserve(_ need: Need) {
        for worker in buffers.indices where (buffers[worker]?.count ?? 0) < need.worker { buffers[worker] = FloatBuffer(need.worker) }
        if (common?.count ?? 0) < need.shared { common = FloatBuffer(need.shared) }
    }

    /// The part shared by all threads.
    public var shared: UnsafeMutablePointer<Float> {
        guard let common else { preconditionFailure("scratch is reserved before it is used") }
        return common.pointer
    }

    public func pointer(_ worker: Int) -> UnsafeMutablePointer<Float> {
        guard let buffer = buffers[worker] else { preconditionFailure("scratch is reserved before it is used") }
        return buffer.pointer
    }
}

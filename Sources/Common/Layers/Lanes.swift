import CProcessor
import Kernels

/// Calls `body` for `count` floats, sixteen at a time, then for up to one group of eight and one shorter group.
@inline(__always)
func forEachVector(_ count: Int, _ body: (_ i: Int, _ lanes: Int) -> Void) {
    var i = 0
    while i + 16 <= count {
        body(i, 16)
        i += 16
    }
    if i + 8 <= count {
        body(i, 8)
        i += 8
    }
    if i < count { body(i, count - i) }
}

extension UnsafePointer<Float> {
    /// For sequential loops: prefetches two 4-KiB pages ahead of `offset`, because a hardware prefetcher stops at the
    /// end of a page.
    @inline(__always)
    func prefetchAhead(_ offset: Int) { seed_prefetch_far(self + (offset &+ 2048)) }

    /// Loads `lanes` ≤ 16 floats; the other lanes are zero.
    @inline(__always)
    func vector(_ offset: Int, lanes: Int) -> Vector {
        lanes == 16 ? vector(offset) : lanes == 8 ? half(offset) : vector(offset, count: lanes)
    }
}

extension UnsafeMutablePointer<Float> {
    @inline(__always)
    func prefetchAhead(_ offset: Int) { UnsafePointer(self).prefetchAhead(offset) }

    @inline(__always)
    func vector(_ offset: Int, lanes: Int) -> Vector { UnsafePointer(self).vector(offset, lanes: lanes) }

    @inline(__always)
    func store(_ v: Vector, _ offset: Int, lanes: Int) {
        if lanes == 16 {
            store(v, offset)
        } else if lanes == 8 {
            storeHalf(v, offset)
        } else {
            store(v, offset, count: lanes)
        }
    }
}

/// How results are stored.
protocol StorePolicy {
    static func store(_ v: Vector, to y: UnsafeMutablePointer<Float>, _ offset: Int, lanes: Int)
}

enum RegularStore: StorePolicy {
    @inline(__always)
    static func store(_ v: Vector, to y: UnsafeMutablePointer<Float>, _ offset: Int, lanes: Int) { y.store(v, offset, lanes: lanes) }
}

/// For results that exceed the caches: cache lines written as a whole are not read first and evict no others.
///
/// Whole vectors must be aligned to 64 bytes.
enum NonTemporalStore: StorePolicy {
    @inline(__always)
    static func store(_ v: Vector, to y: UnsafeMutablePointer<Float>, _ offset: Int, lanes: Int) {
        if lanes == 16 { seed_store_nontemporal(y + offset, v) } else { y.store(v, offset, lanes: lanes) }
    }

    /// Whether non-temporal stores pay for `count` floats at `y`: from 8 MiB on, as measured on Zen 4 with 32 MiB of
    /// level 3 cache.
    static func pays(_ y: UnsafeMutablePointer<Float>, count: Int) -> Bool { count >= 1 << 21 && UInt(bitPattern: y) % 64 == 0 }
}

import Kernels

/// Calls `body` for `count` floats, sixteen at a time; in the end, perhaps, eight and then fewer.
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
    /// `lanes` ≤ 16 floats, and zeros.
    @inline(__always)
    func vector(_ offset: Int, lanes: Int) -> Vector {
        lanes == 16 ? vector(offset) : lanes == 8 ? half(offset) : vector(offset, count: lanes)
    }
}

extension UnsafeMutablePointer<Float> {
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

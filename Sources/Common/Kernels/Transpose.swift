/// Transposition of matrix blocks.
enum Transpose {
    /// target[j, i] = source[i, j] for 16 rows and columns, with row strides `stride` and `targetStride`.
    @inline(__always)
    static func block(_ source: UnsafePointer<Float>, stride: Int, into target: UnsafeMutablePointer<Float>, stride targetStride: Int) {
        // Four rounds interleave rows i and i + 8 into rows 2i and 2i + 1. Each rotates the bits of an element's row
        // and column number by one.
        @inline(__always) func low(_ a: Vector, _ b: Vector) -> Vector {
            var c = Vector()
            c.evenHalf = a.lowHalf
            c.oddHalf = b.lowHalf
            return c
        }
        @inline(__always) func high(_ a: Vector, _ b: Vector) -> Vector {
            var c = Vector()
            c.evenHalf = a.highHalf
            c.oddHalf = b.highHalf
            return c
        }
        typealias Rows = (
            Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector, Vector
        )
        @inline(__always) func interleaved(_ r: Rows) -> Rows {
            (
                low(r.0, r.8), high(r.0, r.8), low(r.1, r.9), high(r.1, r.9), low(r.2, r.10), high(r.2, r.10), low(r.3, r.11), high(r.3, r.11),
                low(r.4, r.12), high(r.4, r.12), low(r.5, r.13), high(r.5, r.13), low(r.6, r.14), high(r.6, r.14), low(r.7, r.15), high(r.7, r.15)
            )
        }
        @inline(__always) func row(_ i: Int) -> Vector { source.vector(i &* stride) }
        let rows = (
            row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7), row(8), row(9), row(10), row(11), row(12), row(13), row(14), row(15)
        )
        let t = interleaved(interleaved(interleaved(interleaved(rows))))
        @inline(__always) func put(_ i: Int, _ v: Vector) { target.store(v, i &* targetStride) }
        put(0, t.0)
        put(1, t.1)
        put(2, t.2)
        put(3, t.3)
        put(4, t.4)
        put(5, t.5)
        put(6, t.6)
        put(7, t.7)
        put(8, t.8)
        put(9, t.9)
        put(10, t.10)
        put(11, t.11)
        put(12, t.12)
        put(13, t.13)
        put(14, t.14)
        put(15, t.15)
    }

    /// target[j, i] = source[i, j] for a matrix (rows, columns).
    static func matrix(
        _ source: UnsafePointer<Float>, stride: Int, rows: Int, columns: Int, into target: UnsafeMutablePointer<Float>, stride targetStride: Int
    ) {
        let wholeRows = rows / 16 * 16, wholeColumns = columns / 16 * 16
        for i in Swift.stride(from: 0, to: wholeRows, by: 16) {
            for j in Swift.stride(from: 0, to: wholeColumns, by: 16) {
                block(source + i * stride + j, stride: stride, into: target + j * targetStride + i, stride: targetStride)
            }
            for j in wholeColumns..<columns { for row in i..<(i + 16) { target[j * targetStride + row] = source[row * stride + j] } }
        }
        for row in wholeRows..<rows { for j in 0..<columns { target[j * targetStride + row] = source[row * stride + j] } }
    }
}

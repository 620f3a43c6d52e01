import CProcessor

/// Products of rows of bytes, with four bytes in the place of a float. The newest processors compute them four times as
/// fast as float products.
///
/// c (m, n) = a·b, where the bytes of a are signed and those of b unsigned. Sums have 32 bits and are stored as floats.
/// `b` is packed as ``Panels`` (k, n), where k counts the floats that the bytes of a column occupy.
public enum ByteProduct {
    /// Whether the target processor has an instruction for it (AVX-512 VNNI). Without one the result is correct, but
    /// computed more slowly than with floats.
    public static var isFast: Bool { SEED_BYTE_PRODUCTS == 1 }
    /// The most bytes that a 32-bit sum can take without overflow.
    public static let longest = 1 << 16

    /// - Parameters:
    ///   - lda: the row stride of `a`, in floats.
    ///   - panels: whole panels only: n is a multiple of ``Panels/width``.
    ///   - isFast: whether to use that instruction.
    public static func multiply(
        _ a: UnsafePointer<Float>, lda: Int, m: Int, _ b: UnsafePointer<Float>, _ panels: Panels, into c: UnsafeMutablePointer<Float>, ldc: Int, isFast: Bool = ByteProduct.isFast
    ) {
        precondition(panels.n.isMultiple(of: Panels.width) && panels.k * 4 <= longest)
        for index in 0..<panels.count {
            let panel = Panel(b: b + panels.offset(index), k: panels.k), column = c + index * Panels.width
            var done = 0
            while done < m {
                let (left, from, to) = (m - done, a + done * lda, column + done * ldc)
                if !isFast {
                    panel.runPlain(from, to)
                    done += 1
                } else if left >= Panels.rows {
                    panel.run(Fourteen<ByteRow>.self, from, lda, to, ldc)
                    done += Panels.rows
                } else if left >= 4 {
                    panel.run(Four<ByteRow>.self, from, lda, to, ldc)
                    done += 4
                } else {
                    panel.run(ByteRow.self, from, lda, to, ldc)
                    done += 1
                }
            }
        }
    }

    private struct Panel {
        let b: UnsafePointer<Float>
        let k: Int

        @inline(__always)
        func run<T: ProductTile>(_: T.Type, _ a: UnsafePointer<Float>, _ lda: Int, _ c: UnsafeMutablePointer<Float>, _ ldc: Int) where T.Row == ByteRow {
            var tile = T()
            for i in 0..<k { tile.addProduct(a + i, stride: lda, ByteRow(b + i &* ByteRow.width, stride: 0)) }
            tile.store(c, stride: ldc)
        }

        /// One row, byte by byte.
        func runPlain(_ a: UnsafePointer<Float>, _ c: UnsafeMutablePointer<Float>) {
            let (a, b) = (UnsafeRawPointer(a), UnsafeRawPointer(b))
            for column in 0..<Panels.width {
                var sum: Int32 = 0
                for i in 0..<4 * k {
                    sum += Int32(a.load(fromByteOffset: i, as: Int8.self)) * Int32(b.load(fromByteOffset: (i / 4 * Panels.width + column) * 4 + i % 4, as: UInt8.self))
                }
                c[column] = Float(sum)
            }
        }
    }
}

/// One row of 32 sums of byte products. Its input has four bytes in each float's place; the sums are stored as floats.
private struct ByteRow: ProductTile {
    private var left: SIMD16<Int32>
    private var right: SIMD16<Int32>

    static var rows: Int { @inline(__always) get { 1 } }
    static var width: Int { @inline(__always) get { 32 } }
    @inline(__always) init() { (left, right) = (.zero, .zero) }
    @inline(__always) init(_ c: UnsafePointer<Float>, stride: Int) {
        left = UnsafeRawPointer(c).loadUnaligned(as: SIMD16<Int32>.self)
        right = UnsafeRawPointer(c + 16).loadUnaligned(as: SIMD16<Int32>.self)
    }
    @inline(__always) mutating func addProduct(_ a: UnsafePointer<Float>, stride: Int, _ b: ByteRow) {
        let a = SIMD16(repeating: UnsafeRawPointer(a).loadUnaligned(as: Int32.self))
        left = seed_add_byte_products(left, b.left, a)
        right = seed_add_byte_products(right, b.right, a)
    }
    @inline(__always) func store(_ c: UnsafeMutablePointer<Float>, stride: Int) {
        c.store(seed_floats(left), 0)
        c.store(seed_floats(right), 16)
    }
    typealias Row = ByteRow
}

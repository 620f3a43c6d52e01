import Kernels
import TestSupport
import Testing

struct ByteProductTests {
    @Test(arguments: [(1, 1, 32), (3, 2, 64), (4, 7, 32), (14, 5, 96), (18, 33, 32), (31, 128, 64)])
    func `is the sum of all products of bytes`(m: Int, k: Int, n: Int) {
        let signed = formula("a", m * k * 4).map { Int8(($0 * 127).rounded()) }, unsigned = formula("b", n * k * 4).map { UInt8(127.5 + $0 * 127.5) }
        // Include the largest possible sums.
        let a = signed.enumerated().map { $0 < 4 * k ? 127 : $1 }, b = unsigned.enumerated().map { $0 < 4 * k ? 255 : $1 }
        let panels = Panels(k: k, n: n), stride = k + 3
        let rows = FloatBuffer(m * stride), columns = FloatBuffer(n * k), packed = FloatBuffer(panels.floats), c = FloatBuffer(m * (n + 1))
        for i in 0..<m {
            for j in 0..<4 * k { UnsafeMutableRawPointer(rows.pointer + i * stride).storeBytes(of: a[i * 4 * k + j], toByteOffset: j, as: Int8.self) }
        }
        for i in b.indices { UnsafeMutableRawPointer(columns.pointer).storeBytes(of: b[i], toByteOffset: i, as: UInt8.self) }
        for panel in 0..<panels.count { panels.pack(panel, of: columns.pointer, .transposed, ldb: k, into: packed.pointer) }
        for isFast in [ByteProduct.isFast, false] {
            c.zero()
            ByteProduct.multiply(rows.pointer, lda: stride, m: m, packed.pointer, panels, into: c.pointer, ldc: n + 1, isFast: isFast)
            for i in 0..<m {
                for j in 0..<n {
                    let sum = (0..<4 * k).reduce(0) { $0 + Int(a[i * 4 * k + $1]) * Int(b[j * 4 * k + $1]) }
                    #expect(c.pointer[i * (n + 1) + j] == Float(sum), "row \(i), column \(j), fast \(isFast)")
                }
                #expect(c.pointer[i * (n + 1) + n] == 0)
            }
        }
    }
}

import Kernels
import TestSupport
import Testing

@Suite struct PanelsTests {
    /// The (row, column) of each float of the panels, by definition; nil for the zeros after the last column.
    static func layout(_ panels: Panels) -> [(row: Int, column: Int)?] {
        stride(from: 0, to: panels.n, by: Panels.width).flatMap { first in
            let columns = min(Panels.width, panels.n - first), stored = columns <= 8 ? 8 : (columns + 15) / 16 * 16
            return (0..<panels.k).flatMap { row in (0..<stored).map { $0 < columns ? (row: row, column: first + $0) : nil } }
        }
    }

    static let ks = [1, 2, 3, 7, 8, 9, 13, 64, 100]
    static let ns = [1, 3, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 49, 64, 65, 100]

    @Test func `a panel is as wide as whole registers and a tile fits into them`() {
        #expect(Panels.width == 32 || Panels.width == 16)
        // The tile's rows, a row of the panel and an element of the left factor fit in the registers of 16 floats
        // (AVX-512) or 8.
        #expect(Panels.width == 32 ? Panels.rows * 2 + 3 <= 32 : Panels.rows * 2 + 3 <= 16)
        #expect(Panels(k: 5, n: 2 * Panels.width + 1).count == 3)
        #expect(Panels(k: 5, n: 2 * Panels.width).count == 2)
        #expect(Panels(k: 5, n: 2 * Panels.width + 3).columns(2) == (2 * Panels.width)..<(2 * Panels.width + 3))
    }

    @Test(arguments: ks, [Matrix.Orientation.asIs, .transposed])
    func `all panels together hold every element once, and zeros behind the last column`(k: Int, orientation: Matrix.Orientation) {
        for n in Self.ns {
            for gap in [0, 5] {
                let panels = Panels(k: k, n: n), layout = Self.layout(panels)
                #expect(layout.count == panels.floats)
                let (rows, columns) = orientation == .asIs ? (k, n) : (n, k)
                let ldb = columns + gap
                // Nothing between the rows may be read.
                var b = formula("b", rows * ldb)
                for row in 0..<rows { for i in columns..<ldb { b[row * ldb + i] = .nan } }
                let packed = Poisoned(panels.floats)
                for index in (0..<panels.count).reversed() { panels.pack(index, of: b, orientation, ldb: ldb, into: packed.pointer) }
                let expected = layout.map { place in place.map { b[orientation == .asIs ? $0.row * ldb + $0.column : $0.column * ldb + $0.row] } ?? 0 }
                #expect(firstDifference(packed.values(), expected) == nil, "\(k)×\(n), rows \(gap) apart")
                // Unpacking restores the matrix and does not touch the gaps between the rows.
                var back = [Float](repeating: -7, count: rows * ldb)
                for index in (0..<panels.count).reversed() { back.withUnsafeMutableBufferPointer { panels.unpack(index, of: packed.pointer, orientation, into: $0.baseAddress!, ldb: ldb) } }
                let wanted = b.indices.map { $0 % ldb < columns ? b[$0] : -7 }
                #expect(firstDifference(back, wanted) == nil, "\(k)×\(n), rows \(gap) apart")
            }
        }
    }

    @Test(arguments: [Matrix.Orientation.asIs, .transposed])
    func `packing one panel leaves the others alone`(orientation: Matrix.Orientation) {
        let k = 7
        for n in [3 * Panels.width, 2 * Panels.width + 5, 2 * Panels.width + Panels.width / 2 + 1] {
            let panels = Panels(k: k, n: n), layout = Self.layout(panels), b = formula("b", k * n)
            for index in 0..<panels.count {
                let packed = Poisoned(panels.floats)
                panels.pack(index, of: b, orientation, ldb: orientation == .asIs ? n : k, into: packed.pointer)
                let written = packed.values().map { !$0.isNaN }
                // The last panel includes its own zeros.
                let own = layout.indices.map { $0 / (k * Panels.width) == index }
                #expect(written == own, "panel \(index) of \(n) columns")
            }
        }
    }
}

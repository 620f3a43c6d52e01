import CProcessor

/// The memory layout of the right factor of a product: split into panels as wide as a tile.
///
/// A matrix (k, n) has ⌈n / width⌉ contiguous panels, each (k, columns) without gaps. Missing columns of the last panel
/// are zero. A product therefore reads its right factor sequentially.
public struct Panels: Sendable, Equatable {
    public let k: Int
    public let n: Int

    public init(k: Int, n: Int) {
        self.k = k
        self.n = n
    }

    /// The number of columns in a panel: two registers with AVX-512 (32 registers), else 16 floats.
    public static var width: Int { SEED_LANES == 16 ? 32 : 16 }
    /// The number of rows in a tile, which leaves registers for a row of the panel and an element of the left factor.
    public static var rows: Int { SEED_LANES == 16 ? 14 : 6 }

    public var count: Int { (n + Panels.width - 1) / Panels.width }
    /// The number of floats in all panels.
    public var floats: Int { count == 0 ? 0 : offset(count - 1) + k * stride(count - 1) }

    /// The columns of the matrix in panel `index`.
    public func columns(_ index: Int) -> Range<Int> { (index * Panels.width)..<min(n, (index + 1) * Panels.width) }
    /// The row length of panel `index` in floats: 16 or 8 suffice for the last one if it has no more columns.
    public func stride(_ index: Int) -> Int { columns(index).count <= 8 ? 8 : (columns(index).count + 15) / 16 * 16 }
    /// The panels of the matrix extended by the zero columns of its last panel. The layout is the same, and every tile
    /// is a whole one.
    public var padded: Panels { count == 0 ? self : Panels(k: k, n: (count - 1) * Panels.width + stride(count - 1)) }
    /// The offset of panel `index`.
    public func offset(_ index: Int) -> Int { index * Panels.width * k }

    /// Packs panel `index` of b (k, n), with row stride `ldb`, or of bᵀ if `b` is (n, k).
    public func pack(_ index: Int, of b: UnsafePointer<Float>, _ orientation: Matrix.Orientation = .asIs, ldb: Int, into packed: UnsafeMutablePointer<Float>) {
        let columns = columns(index), stride = stride(index)
        let panel = packed + offset(index)
        switch orientation {
        case .asIs:
            if columns.count < stride { panel.update(repeating: 0, count: k * stride) }
            Rows.copy(b + columns.lowerBound, stride: ldb, rows: k, columns: columns.count, into: panel, stride: stride)
        case .transposed:
            if columns.count < stride { panel.update(repeating: 0, count: k * stride) }
            Transpose.matrix(b + columns.lowerBound * ldb, stride: ldb, rows: columns.count, columns: k, into: panel, stride: stride)
        }
    }

    /// Writes the columns of a packed panel back to where ``pack(_:of:_:ldb:into:)`` read them.
    public func unpack(_ index: Int, of packed: UnsafePointer<Float>, _ orientation: Matrix.Orientation = .asIs, into b: UnsafeMutablePointer<Float>, ldb: Int) {
        let columns = columns(index), stride = stride(index), panel = packed + offset(index)
        switch orientation {
        case .asIs: Rows.copy(panel, stride: stride, rows: k, columns: columns.count, into: b + columns.lowerBound, stride: ldb)
        case .transposed: Transpose.matrix(panel, stride: stride, rows: k, columns: columns.count, into: b + columns.lowerBound * ldb, stride: ldb)
        }
    }
}

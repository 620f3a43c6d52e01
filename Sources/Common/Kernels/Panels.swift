import CProcessor

/// How the right factor of a product lies in memory: cut into panels of as many columns as a tile is wide.
///
/// A matrix (k, n) has ⌈n / width⌉ panels, one behind the other, each (k, columns) without gaps. Columns that the last one lacks
/// are zero. So a product reads its right factor from front to back.
public struct Panels: Sendable, Equatable {
    public let k: Int
    public let n: Int

    public init(k: Int, n: Int) {
        self.k = k
        self.n = n
    }

    /// Columns of a panel: two registers where there are 32 of AVX-512, else 16 floats.
    public static var width: Int { SEED_LANES == 16 ? 32 : 16 }
    /// Rows of a tile: as many as leave registers for a row of the panel and an element of the left factor.
    public static var rows: Int { SEED_LANES == 16 ? 14 : 6 }

    public var count: Int { (n + Panels.width - 1) / Panels.width }
    /// Floats of all panels.
    public var floats: Int { count == 0 ? 0 : offset(count - 1) + k * stride(count - 1) }

    /// The columns of the matrix in panel `index`.
    public func columns(_ index: Int) -> Range<Int> { (index * Panels.width)..<min(n, (index + 1) * Panels.width) }
    /// Floats in a row of panel `index`: 16 or 8 are enough for the last one if it has no more columns.
    public func stride(_ index: Int) -> Int { columns(index).count <= 8 ? 8 : (columns(index).count + 15) / 16 * 16 }
    /// Those of the matrix with the columns of zeros that its last panel has: they lie as these do, and every tile is a whole one.
    public var padded: Panels { count == 0 ? self : Panels(k: k, n: (count - 1) * Panels.width + stride(count - 1)) }
    /// Where panel `index` begins.
    public func offset(_ index: Int) -> Int { index * Panels.width * k }

    /// Packs panel `index` of b (k, n), whose rows lie `ldb` floats apart; or of bᵀ, if `b` is (n, k).
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

    /// Puts the columns of a packed panel back, as ``pack(_:of:_:ldb:into:)`` has found them.
    public func unpack(_ index: Int, of packed: UnsafePointer<Float>, _ orientation: Matrix.Orientation = .asIs, into b: UnsafeMutablePointer<Float>, ldb: Int) {
        let columns = columns(index), stride = stride(index), panel = packed + offset(index)
        switch orientation {
        case .asIs: Rows.copy(panel, stride: stride, rows: k, columns: columns.count, into: b + columns.lowerBound, stride: ldb)
        case .transposed: Transpose.matrix(panel, stride: stride, rows: k, columns: columns.count, into: b + columns.lowerBound * ldb, stride: ldb)
        }
    }
}

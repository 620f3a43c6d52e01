import CProcessor

/// Memory that is read after a product, prefetched during the product so that the next reader does not wait.
///
/// It changes no result. Together with the operands of the product it should fit in the L2 cache.
public struct Prefetch {
    private var parts: (Part, Part)

    /// Some rows and columns of a matrix with row stride `stride`, in floats.
    public init(_ matrix: UnsafePointer<Float>, rows: Range<Int>, columns: Range<Int>, stride: Int) {
        parts = (Part(first: matrix + rows.lowerBound * stride + columns.lowerBound, rows: rows.count, columns: columns.count, stride: stride), Part())
    }

    /// Whole rows of a matrix with `columns` columns.
    public init(_ matrix: UnsafePointer<Float>, rows: Range<Int>, columns: Int) {
        parts = (Part(first: matrix + rows.lowerBound * columns, rows: min(1, rows.count), columns: rows.count * columns, stride: 0), Part())
    }

    /// Memory of one matrix, then of another: two at most.
    public func and(_ other: Prefetch) -> Prefetch {
        var both = self
        both.parts.1 = other.parts.0
        return both
    }

    /// The number of cache lines in total.
    var lines: Int { parts.0.lines + parts.1.lines }

    /// Prefetches the next `count` lines.
    @inline(__always)
    mutating func prefetch(_ count: Int) {
        for _ in 0..<count {
            if !parts.0.prefetch() { _ = parts.1.prefetch() }
        }
    }

    private struct Part {
        var first: UnsafePointer<Float>?
        var rows = 0, columns = 0, stride = 0
        /// The position of the next line to prefetch.
        var column = 0

        var lines: Int { rows * ((columns + 15) / 16) }

        @inline(__always)
        mutating func prefetch() -> Bool {
            guard rows > 0, let row = first else { return false }
            seed_prefetch_far(row + column)
            column += 16
            if column >= columns {
                column = 0
                first = row + stride
                rows -= 1
            }
            return true
        }
    }
}

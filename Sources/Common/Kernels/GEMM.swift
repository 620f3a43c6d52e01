import CProcessor

/// Products of row-major matrices on register tiles.
///
/// Every element of the result is a single sum in the order of k, whatever else is computed with it. So the bits do not
/// depend on how rows are split among threads. OpenBLAS packs both factors anew in every call; here the right factor is
/// packed once and the left one is read in place.
public enum GEMM {
    /// Computes the sums a·b and stores them to `c` (m, n) as the epilogue says, where a is (m, k) and b is packed.
    ///
    /// - Parameters:
    ///   - lda: the row stride of `a`, in floats. For speed, not a multiple of 1024: such rows evict each other from
    ///     the cache.
    ///   - lines: the number of contiguous runs that a row of `a` consists of, `line` floats apart, like the lines of a
    ///     window.
    ///   - b: (k, n), packed as `panels`.
    ///   - epilogue: its activation is none or a rectifier. If rows of `c` are not aligned to cache lines, it uses
    ///     regular stores.
    ///   - sums: receives sums over the rows of the result.
    ///   - prefetch: memory that is read next. Prefetched if `a` has one line, along with whole panels.
    public static func multiply(
        _ a: UnsafePointer<Float>, lda: Int, lines: Int = 1, line: Int = 0, m: Int, _ b: UnsafePointer<Float>, _ panels: Panels,
        into c: UnsafeMutablePointer<Float>, ldc: Int, epilogue: Epilogue = .store,
        sums: ColumnSums? = nil, prefetch: UnsafeMutablePointer<Prefetch>? = nil
    ) {
        precondition(epilogue.fitsGEMM)
        let length = panels.k / lines
        // Processes as many rows of a at a time as fit in the L2 cache, and runs each panel over them.
        var epilogue = epilogue
        epilogue.isNonTemporal = epilogue.isNonTemporal && ldc % 16 == 0 && UInt(bitPattern: c) % 64 == 0
        let block = max(1, min(16, (1 << 16) / max(1, panels.k * Panels.rows))) * Panels.rows
        let pace = prefetch?.pointee.pace(m, panels) ?? 0
        for first in stride(from: 0, to: m, by: block) {
            let end = min(m, first + block)
            for index in 0..<panels.count {
                let columns = panels.columns(index)
                let work = Work(
                    length: length, lines: lines, gap: line - length, b: b + panels.offset(index), bStep: panels.stride(index), columns: columns.count,
                    epilogue: epilogue.advanced(columns: columns.lowerBound), sums: sums?.moved(columns.lowerBound),
                    ahead: lines == 1 && index == 0, prefetch: prefetch, pace: pace)
                work.rows(a + first * lda, lda: lda, m: end - first, into: c + first * ldc + columns.lowerBound, ldc: ldc, row: first)
            }
        }
    }

    /// Sets `c` (m, n) to aᵀ·b or adds it to `c`, where a is (k, m) and b is (k, n): sums over rows, as for gradients
    /// of weights.
    ///
    /// Neither factor is packed. `b` must be readable up to a multiple of ``Panels/width`` columns (of 16 or 8, if
    /// those hold the rest).
    public static func multiplyTransposed(
        _ a: UnsafePointer<Float>, lda: Int, m: Int, _ b: UnsafePointer<Float>, ldb: Int, n: Int, k: Int, into c: UnsafeMutablePointer<Float>, ldc: Int,
        accumulates: Bool = false, prefetch: UnsafeMutablePointer<Prefetch>? = nil
    ) {
        let panels = Panels(k: k, n: n)
        let pace = prefetch?.pointee.pace(m, panels) ?? 0
        for index in 0..<panels.count {
            let columns = panels.columns(index)
            let work = Work(
                length: k, b: b + columns.lowerBound, bStep: ldb, columns: columns.count, epilogue: Epilogue(accumulates: accumulates),
                prefetch: prefetch, pace: pace)
            work.columns(a, lda: lda, m: m, into: c + columns.lowerBound, ldc: ldc)
        }
    }
}

extension Prefetch {
    /// The number of lines to prefetch with every sixteen steps of a product of `m` rows.
    fileprivate func pace(_ m: Int, _ panels: Panels) -> Int {
        let steps = (m + Panels.rows - 1) / Panels.rows * panels.count * ((panels.k + 15) / 16)
        return lines == 0 || steps == 0 ? 0 : (lines + steps - 1) / steps
    }
}

/// One panel and the operations on it.
private struct Work {
    /// The length of a line, the number of lines, and the gap between them, in floats.
    let length: Int
    var lines = 1
    var gap = 0
    let b: UnsafePointer<Float>
    let bStep: Int
    let columns: Int
    let epilogue: Epilogue
    var sums: ColumnSums?
    /// Whether the rows of a are read for the first time.
    var ahead = false
    /// Memory to prefetch meanwhile, `pace` lines with every sixteen steps.
    var prefetch: UnsafeMutablePointer<Prefetch>?
    var pace = 0

    /// Processes all rows of a, one tile at a time from the largest to the smallest. `row` is the index of the first.
    func rows(_ a: UnsafePointer<Float>, lda: Int, m: Int, into c: UnsafeMutablePointer<Float>, ldc: Int, row: Int) {
        var done = 0
        while done < m {
            let rows = Work.tile(m - done)
            let operands = Operands(a: a + done * lda, c: c + done * ldc, ldc: ldc, row: row + done)
            switch bStep {
            case 17...: alongRows(WideRow.self, rows, operands, lda)
            case 9...: alongRows(NarrowRow.self, rows, operands, lda)
            default: alongRows(HalfRow.self, rows, operands, lda)
            }
            done += rows
        }
    }

    /// Processes all columns of a.
    func columns(_ a: UnsafePointer<Float>, lda: Int, m: Int, into c: UnsafeMutablePointer<Float>, ldc: Int) {
        var done = 0
        while done < m {
            let rows = Work.tile(m - done)
            let operands = Operands(a: a + done, c: c + done * ldc, ldc: ldc, row: done)
            switch columns {
            case 17...: alongColumns(WideRow.self, rows, operands, lda)
            case 9...: alongColumns(NarrowRow.self, rows, operands, lda)
            default: alongColumns(HalfRow.self, rows, operands, lda)
            }
            done += rows
        }
    }

    /// The number of rows in the next tile if `left` remain.
    private static func tile(_ left: Int) -> Int { left >= Panels.rows ? Panels.rows : left > 1 ? left / 2 * 2 : 1 }

    private struct Operands {
        let a: UnsafePointer<Float>
        let c: UnsafeMutablePointer<Float>
        let ldc: Int
        let row: Int
    }

    @inline(never) @_specialize(where R == WideRow) @_specialize(where R == NarrowRow) @_specialize(where R == HalfRow)
    private func alongRows<R: Tile>(_: R.Type, _ rows: Int, _ operands: Operands, _ lda: Int) where R.Row == R {
        switch rows {
        case 14: run(Fourteen<R>.self, operands, aRow: lda, aStep: 1)
        case 12: run(Twelve<R>.self, operands, aRow: lda, aStep: 1)
        case 10: run(Ten<R>.self, operands, aRow: lda, aStep: 1)
        case 8: run(Eight<R>.self, operands, aRow: lda, aStep: 1)
        case 6: run(Six<R>.self, operands, aRow: lda, aStep: 1)
        case 4: run(Four<R>.self, operands, aRow: lda, aStep: 1)
        case 2: run(Two<R>.self, operands, aRow: lda, aStep: 1)
        default: run(R.self, operands, aRow: lda, aStep: 1)
        }
    }

    @inline(never) @_specialize(where R == WideRow) @_specialize(where R == NarrowRow) @_specialize(where R == HalfRow)
    private func alongColumns<R: Tile>(_: R.Type, _ rows: Int, _ operands: Operands, _ lda: Int) where R.Row == R {
        switch rows {
        case 14: run(Fourteen<R>.self, operands, aRow: 1, aStep: lda)
        case 12: run(Twelve<R>.self, operands, aRow: 1, aStep: lda)
        case 10: run(Ten<R>.self, operands, aRow: 1, aStep: lda)
        case 8: run(Eight<R>.self, operands, aRow: 1, aStep: lda)
        case 6: run(Six<R>.self, operands, aRow: 1, aStep: lda)
        case 4: run(Four<R>.self, operands, aRow: 1, aStep: lda)
        case 2: run(Two<R>.self, operands, aRow: 1, aStep: lda)
        default: run(R.self, operands, aRow: 1, aStep: lda)
        }
    }

    /// Computes all sums of one tile.
    @inline(__always)
    private func run<T: Tile>(_: T.Type, _ operands: Operands, aRow: Int, aStep: Int) {
        guard columns == T.width else { return runNarrow(T.self, operands, aRow: aRow, aStep: aStep) }
        let residual = epilogue.residual.map { $0 + operands.row * operands.ldc }
        var tile: T
        if epilogue.accumulates {
            tile = T(operands.c, stride: operands.ldc)
            if let bias = epilogue.bias { tile.add(bias, stride: 0) }
            if let residual { tile.add(residual, stride: operands.ldc) }
        } else if let bias = epilogue.bias {
            tile = T(repeating: bias)
            if let residual { tile.add(residual, stride: operands.ldc) }
        } else {
            tile = residual.map { T($0, stride: operands.ldc) } ?? T()
        }
        // The initial values of a sum are needed at once, so they are prefetched one tile ahead.
        if epilogue.accumulates {
            prefetchToWrite(T.self, operands.c + T.rows * operands.ldc, operands.ldc)
        } else {
            if let residual { prefetchRows(T.self, residual + T.rows * operands.ldc, operands.ldc) }
            if !epilogue.isNonTemporal { prefetchToWrite(T.self, operands.c, operands.ldc) }
        }
        if lines == 1 && (aStep == 1 && ahead || pace > 0) { sumPrefetching(&tile, operands.a, aRow, aStep) } else { sum(&tile, operands.a, aRow, aStep) }
        if epilogue.activation == .relu { tile.rectify() }
        sums?.add(tile, isFirst: operands.row == 0)
        if epilogue.isNonTemporal { tile.storeNonTemporal(operands.c, stride: operands.ldc) } else { tile.store(operands.c, stride: operands.ldc) }
    }

    @inline(__always)
    private func prefetchRows<T: Tile>(_: T.Type, _ first: UnsafePointer<Float>, _ stride: Int) {
        for row in 0..<T.rows {
            seed_prefetch(first + row * stride)
            if T.width > 16 { seed_prefetch(first + row * stride + 16) }
        }
    }

    @inline(__always)
    private func prefetchToWrite<T: Tile>(_: T.Type, _ first: UnsafeMutablePointer<Float>, _ stride: Int) {
        for row in 0..<T.rows {
            seed_prefetch_to_write(first + row * stride)
            if T.width > 16 { seed_prefetch_to_write(first + row * stride + 16) }
        }
    }

    /// The same if the result has fewer columns than the tile, by way of a tile in memory.
    @inline(__always)
    private func runNarrow<T: Tile>(_: T.Type, _ operands: Operands, aRow: Int, aStep: Int) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: T.rows * T.width) { memory in
            guard let whole = memory.baseAddress else { return }
            var tile = T()
            if epilogue.accumulates || epilogue.bias != nil || epilogue.residual != nil {
                for row in 0..<T.rows {
                    let line = whole + row * T.width
                    line.update(repeating: 0, count: T.width)
                    var isFirst = true
                    func add(_ part: UnsafePointer<Float>) {
                        if isFirst { line.update(from: part, count: columns) } else { for column in 0..<columns { line[column] += part[column] } }
                        isFirst = false
                    }
                    if epilogue.accumulates { add(operands.c + row * operands.ldc) }
                    if let bias = epilogue.bias { add(bias) }
                    if let residual = epilogue.residual { add(residual + (operands.row + row) * operands.ldc) }
                }
                tile = T(whole, stride: T.width)
            }
            sum(&tile, operands.a, aRow, aStep)
            if epilogue.activation == .relu { tile.rectify() }
            sums?.add(tile, isFirst: operands.row == 0)
            tile.store(whole, stride: T.width)
            for row in 0..<T.rows { (operands.c + row * operands.ldc).update(from: whole + row * T.width, count: columns) }
        }
    }

    @inline(__always)
    private func sum<T: Tile>(_ tile: inout T, _ a: UnsafePointer<Float>, _ aRow: Int, _ aStep: Int) {
        var (a, b) = (a, b)
        for _ in 0..<lines {
            for _ in 0..<length {
                tile.addProduct(a, stride: aRow, T.Row(b, stride: 0))
                a += aStep
                b += bStep
            }
            a += gap
        }
    }

    /// The same, while prefetching the rows of a for the next tile, if they are read for the first time, and the memory
    /// in `prefetch`.
    @inline(__always)
    private func sumPrefetching<T: Tile>(_ tile: inout T, _ a: UnsafePointer<Float>, _ aRow: Int, _ aStep: Int) {
        var (a, b) = (a, b)
        var left = length
        while left > 0 {
            if ahead { for row in 0..<T.rows { seed_prefetch(a + (T.rows + row) * aRow) } }
            if pace > 0 { prefetch?.pointee.prefetch(pace) }
            for _ in 0..<min(16, left) {
                tile.addProduct(a, stride: aRow, T.Row(b, stride: 0))
                a += aStep
                b += bStep
            }
            left -= 16
        }
    }
}

import Kernels
import Parallel

/// Processes runs of rows of C channels as whole vectors, for any C.
///
/// With vectors of 16 floats, the channels repeat every lcm(C, 16) floats, a period: three vectors for two rows of 24.
/// Per-channel constants, replicated over a period, are then read as vectors too.
struct Periods {
    let C: Int
    /// The number of floats in one period: a multiple of C and of 16, at least four vectors.
    let width: Int

    init(C: Int) {
        self.C = C
        let common = C << max(0, 4 - C.trailingZeroBitCount)
        width = common * ((63 + common) / common)
    }

    /// Like ``Parallel/part(_:of:in:)``, but split at period boundaries: each part starts on a cache line if the first
    /// does.
    func part(_ index: Int, of parts: Int, in rows: Int) -> Range<Int> {
        let unit = width / C, part = Parallel.part(index, of: parts, in: rows / unit)
        return (part.lowerBound * unit)..<(index == parts - 1 ? rows : part.upperBound * unit)
    }

    /// Applies `work` to all of `count` floats, whole rows.
    @inline(__always)
    func forEach<Work: RowWork>(_ count: Int, _ work: Work) {
        var i = 0
        while i + width <= count {
            var c = 0
            while c < width {
                work.apply(i + c, c, 16)
                c += 16
            }
            i += width
        }
        var c = 0
        while i + 16 <= count {
            work.apply(i, c, 16)
            i += 16
            c += 16
        }
        if i < count { work.apply(i, c, count - i) }
    }

    /// Sets `totals` (2, C) to two sums over `count` floats, whole rows. Single precision over up to 64 periods, double
    /// precision beyond.
    func sum<Sum: RowSum>(_ count: Int, into totals: UnsafeMutablePointer<Double>, _ sum: Sum) {
        let wide = UnsafeMutablePointer<Double>.allocate(capacity: 2 * width), sums = UnsafeMutablePointer<Float>.allocate(capacity: 2 * width)
        defer {
            wide.deallocate()
            sums.deallocate()
        }
        wide.initialize(repeating: 0, count: 2 * width)
        sums.initialize(repeating: 0, count: 2 * width)
        var i = 0, periods = 0
        // Four periods at a time, so that loading and storing the sums costs a quarter.
        while i + 4 * width <= count {
            var c = 0
            while c < width {
                var a = sums.vector(c), b = sums.vector(width + c)
                sum.add(i + c, c, 16, &a, &b)
                sum.add(i + width + c, c, 16, &a, &b)
                sum.add(i + 2 * width + c, c, 16, &a, &b)
                sum.add(i + 3 * width + c, c, 16, &a, &b)
                sums.store(a, c)
                sums.store(b, width + c)
                c += 16
            }
            i += 4 * width
            periods += 4
            if periods == 64 {
                keep(sums, in: wide)
                periods = 0
            }
        }
        forEach(count - i, Rest(start: i, width: width, sums: sums, sum: sum))
        keep(sums, in: wide)
        for half in 0..<2 {
            let (own, total) = (wide + half * width, totals + half * C)
            total.update(from: own, count: C)
            for start in stride(from: C, to: width, by: C) { for c in 0..<C { total[c] += own[start + c] } }
        }
    }

    private struct Rest<Sum: RowSum>: RowWork {
        let start, width: Int
        let sums: UnsafeMutablePointer<Float>
        let sum: Sum

        @inline(__always)
        func apply(_ i: Int, _ c: Int, _ lanes: Int) {
            var a = sums.vector(c), b = sums.vector(width + c)
            sum.add(start + i, c, lanes, &a, &b)
            sums.store(a, c)
            sums.store(b, width + c)
        }
    }

    private func keep(_ sums: UnsafeMutablePointer<Float>, in wide: UnsafeMutablePointer<Double>) {
        for i in 0..<(2 * width) { wide[i] += Double(sums[i]) }
        sums.update(repeating: 0, count: 2 * width)
    }

    /// Calls `body` for blocks of 32 channels, on all threads if there are enough `sums` to add that waking them pays.
    static func forEachBlock(of C: Int, sums: Int, _ body: (Range<Int>) -> Void) {
        let blocks = (C + 31) / 32
        func block(_ number: Int) { body((number * 32)..<min(C, number * 32 + 32)) }
        if sums < 1 << 16 {
            for number in 0..<blocks { block(number) }
        } else {
            Parallel.forEach(blocks) { number, _ in block(number) }
        }
    }

    /// Repeats the first C floats over the whole period.
    func fill(_ values: UnsafeMutablePointer<Float>) {
        for start in stride(from: C, to: width, by: C) { (values + start).update(from: values, count: C) }
    }
}

/// An operation on the floats at offset `i`, at offset `c` of the period. `lanes` is 16 except at the very end.
protocol RowWork {
    func apply(_ i: Int, _ c: Int, _ lanes: Int)
}

/// What the floats at offset `i`, at offset `c` of the period, add to two sums. Lanes past `lanes` must add nothing.
protocol RowSum {
    func add(_ i: Int, _ c: Int, _ lanes: Int, _ a: inout Vector, _ b: inout Vector)
}

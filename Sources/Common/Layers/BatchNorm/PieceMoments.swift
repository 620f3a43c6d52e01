import Kernels

/// Channel moments of an array (M, C), computed piece by piece: the number of rows, their mean and the sum of squared
/// deviations from it.
///
/// A piece sums (x − s) and (x − s)², where s is its first row. s is usually close enough to the mean that little
/// cancels. Pieces are merged as in Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983, eq.
/// 2.1, in double precision. ``BatchNorm`` reads its input for the moments, or the layer that produces the input
/// computes them while a piece is still in the cache.
struct PieceMoments {
    private let periods: Periods
    /// For each piece: C means, C sums of squares and the number of rows.
    private let memory: UnsafeMutablePointer<Double>

    init(_ periods: Periods, _ memory: UnsafeMutablePointer<Double>) {
        self.periods = periods
        self.memory = memory
    }

    /// The number of doubles for `pieces` pieces.
    static func doubles(C: Int, pieces: Int) -> Int { pieces * (2 * C + 1) }

    private var C: Int { periods.C }

    /// Computes the moments of a piece: `rows` rows at `x`.
    func measure(_ piece: Int, _ x: UnsafePointer<Float>, rows: Int) {
        let origin = UnsafeMutablePointer<Float>.allocate(capacity: periods.width), totals = totals(piece)
        defer { origin.deallocate() }
        origin.initialize(from: x, count: C)
        periods.fill(origin)
        periods.sum(rows * C, into: totals, Distances(x: x, origin: origin))
        finish(totals, origin: origin, rows: rows)
    }

    /// Sets the moments of a piece from the column sums of a product.
    func set(_ piece: Int, _ sums: ColumnSums, rows: Int) {
        let totals = totals(piece)
        for c in 0..<C { (totals[c], totals[C + c]) = (Double(sums.sums[c]), Double(sums.squares[c])) }
        finish(totals, origin: sums.origin, rows: rows)
    }

    private func totals(_ piece: Int) -> UnsafeMutablePointer<Double> { memory + piece * (2 * C + 1) }

    /// Turns the sums into the mean and the sum of squared deviations from it.
    private func finish(_ totals: UnsafeMutablePointer<Double>, origin: UnsafePointer<Float>, rows: Int) {
        let count = Double(rows)
        for c in 0..<C {
            let average = totals[c] / count
            totals[C + c] = max(0, totals[C + c] - totals[c] * average)
            totals[c] = Double(origin[c]) + average
        }
        totals[2 * C] = count
    }

    /// Merges the pieces `own` and calls `result` with each of `channels`, its mean and its sum of squared deviations.
    func join(_ own: Range<Int>, _ channels: Range<Int>, _ result: (_ c: Int, _ mean: Double, _ squares: Double) -> Void) {
        let count = channels.count
        let work = UnsafeMutablePointer<Double>.allocate(capacity: 2 * count)
        defer { work.deallocate() }
        work.initialize(repeating: 0, count: 2 * count)
        let average = work, squares = work + count
        let all = own.reduce(0) { $0 + rows($1) }
        for piece in own {
            let means = totals(piece) + channels.lowerBound, share = rows(piece) / all
            for c in 0..<count { average[c] += means[c] * share }
        }
        for piece in own {
            let means = totals(piece) + channels.lowerBound, distances = means + C, rows = rows(piece)
            for c in 0..<count {
                let d = means[c] - average[c]
                squares[c] += distances[c] + d * d * rows
            }
        }
        for (i, c) in channels.enumerated() { result(c, average[i], squares[i]) }
    }

    private func rows(_ piece: Int) -> Double { totals(piece)[2 * C] }
}

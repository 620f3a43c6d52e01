import Kernels

/// Moments of the channels of a value (M, C), found piece by piece: the rows of each, their mean and the sum of their squared distances from it.
///
/// A piece sums (x − s) and (x − s)², s being its first row: near enough to the mean, as a rule, that little cancels. Pieces are joined as in Chan,
/// Golub and LeVeque, "Algorithms for computing the sample variance", 1983, eq. 2.1, in double precision. ``BatchNorm`` reads its input for
/// them, or the layer that makes the input finds them while a piece is still in the cache.
struct PieceMoments {
    private let periods: Periods
    /// For each piece C means, C sums of squares and the number of rows.
    private let memory: UnsafeMutablePointer<Double>

    init(_ periods: Periods, _ memory: UnsafeMutablePointer<Double>) {
        self.periods = periods
        self.memory = memory
    }

    /// What `pieces` of them take.
    static func doubles(C: Int, pieces: Int) -> Int { pieces * (2 * C + 1) }

    private var C: Int { periods.C }

    /// Finds those of a piece: `rows` rows at `x`.
    func measure(_ piece: Int, _ x: UnsafePointer<Float>, rows: Int) {
        let origin = UnsafeMutablePointer<Float>.allocate(capacity: periods.width), totals = totals(piece)
        defer { origin.deallocate() }
        origin.initialize(from: x, count: C)
        periods.fill(origin)
        periods.sum(rows * C, into: totals, Distances(x: x, origin: origin))
        finish(totals, origin: origin, rows: rows)
    }

    /// Takes those of a piece from what a product has summed.
    func set(_ piece: Int, _ sums: ColumnSums, rows: Int) {
        let totals = totals(piece)
        for c in 0..<C { (totals[c], totals[C + c]) = (Double(sums.sums[c]), Double(sums.squares[c])) }
        finish(totals, origin: sums.origin, rows: rows)
    }

    private func totals(_ piece: Int) -> UnsafeMutablePointer<Double> { memory + piece * (2 * C + 1) }

    /// Sums become mean and squared distance from it.
    private func finish(_ totals: UnsafeMutablePointer<Double>, origin: UnsafePointer<Float>, rows: Int) {
        let count = Double(rows)
        for c in 0..<C {
            let average = totals[c] / count
            totals[C + c] = max(0, totals[C + c] - totals[c] * average)
            totals[c] = Double(origin[c]) + average
        }
        totals[2 * C] = count
    }

    /// Joins the pieces `own`: calls `result` with each of `channels`, its mean and the sum of the squared distances from it.
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

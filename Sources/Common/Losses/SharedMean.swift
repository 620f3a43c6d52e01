import Platform

/// The mean component that all embeddings of a teacher share.
///
/// A softmax over a queue is invariant to it, but training is not. While the queue still holds random rows, the
/// direction of the mean distinguishes embeddings from random rows, and a student that outputs this direction for every
/// image lowers the loss fastest. So the mean is subtracted and the rows are normalized again:
///
///     t ← (t − m) / ‖t − m‖
public struct SharedMean: Sendable, Equatable {
    /// m (D).
    public let values: [Float]

    /// The length of a row, D.
    public var dimension: Int { values.count }

    public init(_ values: [Float]) {
        precondition(!values.isEmpty)
        self.values = values
    }

    /// The mean of `rows` (N, D).
    public init(of rows: UnsafeBufferPointer<Float>, dimension D: Int) {
        precondition(D > 0 && rows.count >= D && rows.count % D == 0)
        var sums = [Double](repeating: 0, count: D)
        for start in stride(from: 0, to: rows.count, by: D) {
            for d in 0..<D { sums[d] += Double(rows[start + d]) }
        }
        let N = Double(rows.count / D)
        values = sums.map { Float($0 / N) }
    }

    /// ‖m‖: 0 to 1 if the rows have unit length.
    public var length: Double { values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }

    /// Subtracts the mean from `rows` (N, D) and scales them to unit length. A row equal to the mean has no direction
    /// left and stays unchanged.
    public func takeOff(_ rows: inout [Float]) {
        let D = dimension
        precondition(rows.count % D == 0)
        for start in stride(from: 0, to: rows.count, by: D) {
            var square = 0.0
            for d in 0..<D {
                let difference = Double(rows[start + d]) - Double(values[d])
                square += difference * difference
            }
            let length = square.squareRoot()
            guard length > 1e-6 else { continue }
            for d in 0..<D { rows[start + d] = Float((Double(rows[start + d]) - Double(values[d])) / length) }
        }
    }
}

extension [Float] {
    /// The rows of one view, (N, D), from rows (N, V, D).
    func rows(ofView view: Int, among V: Int, dimension D: Int) -> [Float] {
        precondition((0..<V).contains(view) && count % (V * D) == 0)
        var rows: [Float] = []
        rows.reserveCapacity(count / V)
        for start in stride(from: view * D, to: count, by: V * D) { rows += self[start..<start + D] }
        return rows
    }
}

import Losses

extension Metric {
    /// How much the normalised rows of an output differ: ``studentCosine(_:)``, ``spread(_:)`` and
    /// ``effectiveRank(_:)``.
    ///
    /// Empty for fewer than two rows, or where a number is not finite.
    public static func spread(of output: PassOutput) -> [Metric] {
        let rows = NormalizedRows(output)
        guard rows.areFinite, let cosine = rows.meanCosine else { return [] }
        let spread = unsafe rows.values.withUnsafeBufferPointer { unsafe EmbeddingSpread.of($0, dimension: rows.D) }
        return [.studentCosine(cosine)] + [spread?.deviation.map { .spread($0) }, spread?.effectiveRank.map { .effectiveRank($0) }].compactMap { $0 }
    }
}

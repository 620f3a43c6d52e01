/// Finds the intended word for a misspelt one.
public enum Nearest {
    /// The element of `candidates` that differs least from `word`; nil where none is close.
    ///
    /// - Parameter most: the maximum number of edits; by default half of the word's letters, or two if that is more.
    public static func name(to word: String, among candidates: [String], within most: Int? = nil) -> String? {
        let word = Array(word.uppercased().unicodeScalars)
        let ranked = candidates.map { ($0, distance(word, Array($0.uppercased().unicodeScalars))) }
        guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= most ?? max(2, word.count / 2) else { return nil }
        return best.0
    }

    /// The remedy for a word that is not in `candidates`.
    ///
    /// - Parameter list: how to list all of them: "'initialize --help' lists all".
    public static func remedy(_ word: String, among candidates: [String], list: String) -> String {
        name(to: word, among: candidates).map { "did you mean \($0)? \(list)" } ?? list
    }

    /// The number of edits that turn `a` into `b`: insertions, deletions, replacements, or swaps of two neighbours
    /// (Damerau 1964, restricted).
    private static func distance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
        guard a.count <= 256, b.count <= 256 else { return .max }
        var rows = [[Int](repeating: 0, count: b.count + 1), [Int](0...b.count)]
        for i in 0..<a.count {
            var next = [i + 1] + [Int](repeating: 0, count: b.count)
            for j in 0..<b.count {
                next[j + 1] = min(rows[1][j] + (a[i] == b[j] ? 0 : 1), rows[1][j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { next[j + 1] = min(next[j + 1], rows[0][j - 1] + 1) }
            }
            rows = [rows[1], next]
        }
        return rows[1][b.count]
    }
}

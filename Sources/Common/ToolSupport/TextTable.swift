/// A text table with columns as wide as needed: the first is left-aligned, the others right-aligned.
public struct TextTable {
    public var rows: [[String]]
    public var leftColumns: Set<Int> = [0]

    public init(_ rows: [[String]]) { self.rows = rows }

    public var text: String {
        var widths = [Int](repeating: 0, count: rows.map(\.count).max() ?? 0)
        // A title that is alone in its row may extend over the other columns.
        for row in rows where row.count > 1 { for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) } }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let blank = String(repeating: " ", count: max(0, widths[column] - cell.count))
                line += (column == 0 ? "" : "  ") + (leftColumns.contains(column) ? cell + blank : blank + cell)
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}

import ArgumentParser

/// The records from `first` to `last` inclusive, or to the end.
struct RecordRange: ExpressibleByArgument {
    var first: Int
    var last: Int?

    init(first: Int, last: Int?) {
        self.first = first
        self.last = last
    }

    /// Parses "3..7", "3..", "..7" or "3".
    init?(argument: String) {
        let parts = argument.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].hasPrefix(".") else {
            guard let only = Int(argument), only >= 0 else { return nil }
            self.init(first: only, last: only)
            return
        }
        let (start, end) = (parts[0], parts[1].dropFirst())
        guard let first = start.isEmpty ? 0 : Int(start), first >= 0 else { return nil }
        if end.isEmpty {
            self.init(first: first, last: nil)
        } else {
            guard let last = Int(end), last >= first else { return nil }
            self.init(first: first, last: last)
        }
    }

    func contains(_ number: Int) -> Bool { number >= first && last.map { number <= $0 } ?? true }
}

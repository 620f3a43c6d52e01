import ToolSupport

/// What the data of a run is, as hashes: `data/identity`.
struct Identity {
    private static let file = "data/identity"
    private static let end = "end of identity"

    /// Of the images that are learnt from; nil where they are drawn.
    let train: String?
    /// Of those that are judged by, where they are not among them.
    let test: String?
    /// Of TEACHER; nil where one is trained.
    let teacher: String?
    /// Of FROM; nil where the student begins with random numbers.
    let from: String?

    init(train: String?, test: String?, teacher: String?, from: String?) { (self.train, self.test, self.teacher, self.from) = (train, test, teacher, from) }

    /// Nil where there is none, or one that was cut short.
    init?(in folder: String) {
        guard let lines = try? TextFile.read("\(folder)/\(Identity.file)", end: Identity.end), lines.count >= 2 else { return nil }
        (train, test, teacher, from) = (lines[0], lines[1], lines.count > 2 ? lines[2] : nil, lines.count > 3 ? lines[3] : nil)
    }

    func save(in folder: String) throws {
        try TextFile.write([train ?? "drawn", test ?? "none", teacher ?? "trained"] + (from.map { [$0] } ?? []), end: Identity.end, to: "\(folder)/\(Identity.file)")
    }

    func of(_ source: Source) -> String? {
        switch source {
        case .train: train
        case .test: test
        case .teacher: teacher
        case .from: from
        }
    }
}

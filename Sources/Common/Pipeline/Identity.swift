import ToolSupport

/// The identity of a run's data, as hashes: `data/identity`.
struct Identity {
    private static let file = "data/identity"
    private static let end = "end of identity"

    /// The hash of the training images; nil if they are synthetic.
    let train: String?
    /// The hash of the test images, if they are not among the training images.
    let test: String?
    /// The hash of TEACHER; nil if a teacher is trained.
    let teacher: String?
    /// The hash of FROM; nil if the student starts from random weights.
    let from: String?

    init(train: String?, test: String?, teacher: String?, from: String?) { (self.train, self.test, self.teacher, self.from) = (train, test, teacher, from) }

    /// Nil if there is no such file, or it is truncated.
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

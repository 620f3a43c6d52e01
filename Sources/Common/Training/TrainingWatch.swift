public import Objectives
import Platform
import TensorStreams
import ToolSupport

/// Detects a student that learns nothing: its embeddings are all alike, or an epoch has not lowered its divergence
/// from the teacher.
///
/// During an epoch it waits until the queue is full of embeddings. Before that, both figures depend more on the
/// random rows than on the student. In the first steps the embeddings of every student become similar, up to a mean
/// cosine of 0.96 at a good learning rate, since the same output for all images is less wrong than that of an
/// untrained network. With too high a rate they reach 0.999 and stay there.
///
/// The end of an epoch is judged however short the epoch is. Embeddings that are alike until the end are reported
/// from the fourth step of a training on. There, students that learn were measured at 0.95 or less, and one that does
/// not at 0.999 (docs/plateau.md). The KL divergence of a few steps is mostly chance, so an epoch of fewer than
/// ``firstSteps`` steps is reported only where the student still knows nothing at all.
public struct TrainingWatch {
    /// The number of batches over which embeddings must be alike: enough to judge the student rather than a batch.
    public static let batches = 20
    /// Embeddings are alike when they differ by less than this share of the teacher's difference, or of 1 where the
    /// only teacher is the student's own average.
    public static let smallestSpread = 0.01
    /// The rounding error of a mean cosine: by how much equal rows may seem to differ.
    static let rounding = 1e-6
    /// The number of initial training steps without reports.
    public static let firstSteps = 50
    /// The number of initial training steps without reports even at the end of an epoch: of the embeddings, and of
    /// the divergence.
    static let firstAlike = 3, firstDivergent = 11
    /// As a share of the divergence of a student that knows nothing: above it, a short epoch has taught nothing.
    static let nothing = 0.98
    /// As a share of the divergence of a student that knows nothing, ln(K + 1) − floor: below it, an epoch without
    /// progress may be the end of the training.
    static let known = 0.5
    /// As a share of the same: above it, a decrease of one percent is not yet progress.
    static let plateau = 0.8

    /// The divergence at the end of the previous epoch.
    public private(set) var divergence: Double?
    private let comparesDivergence: Bool
    /// The problems found, each with the step that shows it; nil where the text itself says what to do.
    private var notes: [(text: String, report: StepReport?)] = []
    private var epoch: Int?
    private var steps: [Step] = []
    private var spreads: [(student: Double, teacher: Double)] = []
    private var hasToldAlike = false
    private let hasTeacher, judgesRank: Bool
    /// For the steps since the last judgement of ranks: the effective rank, and the spread of the embeddings where it
    /// is known.
    private var ranks: [(rank: Double, spread: Double?)] = []
    private var hasToldRank = false
    private var hasToldSingle = false
    /// Embeddings with an effective rank below this have collapsed to a line, unless they are leaving it.
    static let smallestRank = 1.5
    /// The number of batches after which ranks are judged. At the end of an epoch, ``batches`` are enough.
    static let rankBatches = 200
    /// Embeddings are leaving a line where, from the first to the last quarter of the batches, their rank rises by
    /// this amount or their spread by this factor.
    static let risingRank = 0.02, risingSpread = 1.1
    /// The rank of a batch with fewer images says nothing.
    static let fewestRows = 16

    private struct Step {
        var images: Int
        /// Loss − floor, if the queue was full.
        var divergence: Double?
        var largest: Double?
        var report: StepReport
        /// The number of training steps up to this one.
        var total: Int

        /// How much the embeddings of two images differ: the student's and the teacher's.
        var spread: (student: Double, teacher: Double)?
        var isAlike: Bool { spread.map { $0.student < TrainingWatch.smallestSpread * $0.teacher } ?? false }
    }

    /// - Parameters:
    ///   - divergence: that at the end of the previous epoch.
    ///   - comparesDivergence: whether to report an epoch without progress. For MoCo the comparison says nothing,
    ///     since its keys improve too.
    ///   - hasTeacher: whether the target rows come from another network. Those of the student's average collapse
    ///     with the student.
    ///   - judgesRank: whether to report embeddings on a line. With few classes they may be sufficient.
    public init(divergence: Double?, comparesDivergence: Bool, hasTeacher: Bool = true, judgesRank: Bool = false) {
        self.divergence = divergence
        self.comparesDivergence = comparesDivergence
        (self.hasTeacher, self.judgesRank) = (hasTeacher, judgesRank)
    }

    /// How much the embeddings of two images differ.
    ///
    /// Rows of zeros have no direction and a mean cosine of 0, but count as alike.
    private func spread(_ report: StepReport) -> (student: Double, teacher: Double)? {
        report["student_cosine"].map { (report["spread"] == 0 ? 0 : 1 - $0, 1 - (hasTeacher ? report["teacher_cosine"] ?? 0 : 0)) }
    }

    /// The observations of the epoch, f64 [steps + 1, 6].
    ///
    /// For each step: the images, loss − floor, the same for a student that knows nothing, both mean cosines, and the
    /// number of training steps up to it; NaN for unknown values. The last row has two flags: whether a collapse was
    /// reported, and whether a collapse to a line was.
    var tensor: Tensor {
        let rows = steps.flatMap { step -> [Double] in
            [Double(step.images), step.divergence ?? .nan, step.largest ?? .nan, step.spread.map { 1 - $0.student } ?? .nan, step.spread.map { 1 - $0.teacher } ?? .nan, Double(step.total)]
        }
        return Tensor(f64: rows + [hasToldAlike ? 1 : 0, hasToldRank ? 1 : 0, 0, 0, 0, 0], shape: [steps.count + 1, Self.columns])
    }

    private static let columns = 6

    /// - Throws: ``Failure`` `data` for a tensor that cannot be a ``tensor``.
    static func check(_ tensor: TensorOutline, path: String) throws {
        guard tensor.dtype == .f64, tensor.shape.count == 2, tensor.shape[1] == columns, 1...1 << 30 ~= tensor.shape[0] else {
            throw Failure(.data, path: path, "holds '\(tensor.name)' of shape \(tensor.shape), which no interim checkpoint has", remedy: "remove it; the epoch then starts again")
        }
    }

    /// Restores the observations of ``tensor``.
    mutating func restore(_ tensor: Tensor, epoch: Int) {
        let all = unsafe tensor.withElements(as: Double.self) { unsafe Array($0) }, rows = all.count / Self.columns - 1
        guard rows >= 0 else { return }
        func known(_ value: Double) -> Double? { value.isNaN ? nil : value }
        // Limit the counts, so that sums of them do not overflow.
        func count(_ value: Double, most: Double) -> Int { value.isFinite ? Int(max(0, min(value, most))) : 0 }
        for row in 0..<rows {
            let numbers = Array(all[row * Self.columns..<(row + 1) * Self.columns])
            let metrics = [known(numbers[3]).map { Metric.studentCosine($0) }, known(numbers[4]).map { Metric.teacherCosine($0) }].compactMap { $0 }
            let report = StepReport(images: count(numbers[0], most: 1e6), epoch: epoch, step: row, loss: 0, metrics: metrics, learningRate: 0, gradientNorm: 0)
            steps.append(Step(images: report.images, divergence: known(numbers[1]), largest: known(numbers[2]), report: report, total: count(numbers[5], most: 1e15), spread: spread(report)))
        }
        (hasToldAlike, hasToldRank) = (all[rows * Self.columns] == 1, all[rows * Self.columns + 1] == 1)
        self.epoch = steps.isEmpty ? nil : epoch
        spreads = steps.suffix(Self.batches).filter { $0.total > Self.firstSteps }.compactMap(\.spread)
    }

    /// The notes since the last call.
    ///
    /// - Parameter remedy: what to change, in words.
    public mutating func takeNotes(_ remedy: (StepReport) -> String) -> [String] {
        defer { notes = [] }
        return notes.map { note in note.report.map { "\(note.text); \(remedy($0))" } ?? note.text }
    }

    /// Observes a step.
    ///
    /// - Parameters:
    ///   - total: the number of training steps so far.
    public mutating func add(_ report: StepReport, steps total: Int) {
        if let epoch, epoch != report.epoch { endEpoch() }
        epoch = report.epoch
        // Without a queue, or without a known one, no rows are random.
        let isFull = report["queue_real"] ?? 1 == 1, floor = report["floor"]
        steps.append(
            Step(
                images: report.images, divergence: isFull ? floor.map { report.loss - $0 }.flatMap { $0.isFinite ? $0 : nil } : nil,
                largest: report["uniform_loss"].map { $0 - (floor ?? .nan) }, report: report, total: total, spread: spread(report)))
        if isFull, total > Self.firstSteps {
            lookAtSpread(report)
            lookAtRank(report)
        }
    }

    private mutating func lookAtRank(_ report: StepReport) {
        guard judgesRank, report.images >= Self.fewestRows, let rank = report["effective_rank"] else { return }
        ranks.append((rank, report["student_cosine"].map { 1 - $0 }))
        if ranks.count == Self.rankBatches { judgeRank(report) }
    }

    /// Reports embeddings that stay on one line, which have collapsed.
    ///
    /// In the first epochs of a successful training, when all embeddings are nearly alike, they first spread along
    /// one line and then leave it.
    private mutating func judgeRank(_ report: StepReport) {
        defer { ranks = [] }
        guard !hasToldAlike, !hasToldRank, ranks.count >= Self.batches, let largest = ranks.map(\.rank).max(), largest < Self.smallestRank else { return }
        let quarter = ranks.count / 4, first = ranks.prefix(quarter), last = ranks.suffix(quarter)
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
        guard mean(last.map(\.rank)) < mean(first.map(\.rank)) + Self.risingRank else { return }
        let (before, now) = (first.compactMap(\.spread), last.compactMap(\.spread))
        guard before.isEmpty || mean(now) < Self.risingSpread * mean(before) else { return }
        hasToldRank = true
        notes.append(("the student's embeddings have collapsed to a line at epoch \(report.epoch), step \(report.step) (effective rank \(Progress.fixed(largest, 2)))", report))
    }

    private mutating func lookAtSpread(_ report: StepReport) {
        guard let spread = steps.last?.spread, !hasToldAlike else { return }
        spreads.append(spread)
        guard spreads.count >= Self.batches else { return }
        spreads.removeFirst(spreads.count - Self.batches)
        let student = spreads.reduce(0) { $0 + $1.student } / Double(Self.batches)
        let teacher = spreads.reduce(0) { $0 + $1.teacher } / Double(Self.batches)
        guard student < Self.smallestSpread * teacher else { return }
        tellAlike(report, student, teacher)
    }

    /// Judges the second half of an epoch: all of it must be alike, and not much less so than the first half.
    private mutating func lookAtEnd() {
        let judged = steps.filter { $0.total > Self.firstAlike && $0.spread != nil }
        let half = judged.suffix((judged.count + 1) / 2)
        guard let last = half.last, !hasToldAlike, half.allSatisfy(\.isAlike) else { return }
        func mean(_ steps: ArraySlice<Step>) -> (student: Double, teacher: Double) {
            let spreads = steps.compactMap(\.spread), count = Double(max(1, spreads.count))
            return (spreads.reduce(0) { $0 + $1.student } / count, spreads.reduce(0) { $0 + $1.teacher } / count)
        }
        let (now, before) = (mean(half), mean(judged.dropLast(half.count)))
        // Embeddings that spread again are those of a student that has recovered.
        guard judged.count == half.count || now.student <= 2 * max(before.student, Self.rounding) else { return }
        tellAlike(last.report, now.student, now.teacher)
    }

    private mutating func tellAlike(_ report: StepReport, _ student: Double, _ teacher: Double) {
        hasToldAlike = true
        let also = !hasTeacher || report["teacher_cosine"] == nil ? "" : ", the teacher's \(Progress.fixed(1 - teacher, 3))"
        let text =
            "the student's embeddings are all alike at epoch \(report.epoch), step \(report.step) (mean cosine of two: \(Progress.fixed(1 - student, 3))\(also)), "
            + "and it learns almost nothing"
        notes.append((text, report))
    }

    private mutating func tellSingleImages(_ report: StepReport) {
        guard !hasToldSingle, steps.allSatisfy({ $0.images == 1 }) else { return }
        hasToldSingle = true
        notes.append(("each batch of epoch \(report.epoch) has one image: there is no other to compare it with, and batch norm normalizes it by itself; use larger batches (augment --batch 64)", nil))
    }

    /// Compares the epoch with the previous one. The divergence of an epoch is that of its last quarter.
    public mutating func endEpoch() {
        defer {
            steps = []
            epoch = nil
        }
        lookAtEnd()
        if let last = steps.last {
            judgeRank(last.report)
            tellSingleImages(last.report)
        }
        guard let last = steps.last, comparesDivergence else { return }
        let quarter = steps.suffix((steps.count + 3) / 4)
        let values = quarter.compactMap { step in step.divergence.map { $0 * Double(step.images) } }
        let before = divergence
        divergence = values.count == quarter.count ? values.reduce(0, +) / Double(quarter.reduce(0) { $0 + $1.images }) : nil
        guard let now = divergence, let before, let largest = last.largest, largest > 0, now > Self.known * largest else { return }
        guard now > (now > Self.plateau * largest ? 0.99 : 1) * before else { return }
        if steps.count < Self.firstSteps {
            let most = quarter.compactMap { step in step.largest.map { $0 * Double(step.images) } }.reduce(0, +) / Double(quarter.reduce(0) { $0 + $1.images })
            guard last.total > Self.firstDivergent, now > Self.nothing * most else { return }
        }
        let text =
            "KL did not fall in epoch \(last.report.epoch): \(Progress.fixed(now, 3)) at its end, \(Progress.fixed(before, 3)) at the end of the previous one, "
            + "\(Progress.fixed(largest, 3)) for a student that knows nothing"
        notes.append((text, last.report))
    }
}

import TensorStreams
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The numbers of a training, an interval at a time: JSON lines in a file, for people and plots.
///
/// | key                   |                                                                                |
/// |-----------------------|--------------------------------------------------------------------------------|
/// | `loss`                | mean cross-entropy of the interval                                             |
/// | `floor`               | mean entropy of the teacher's targets: no student can have a smaller loss      |
/// | `kl`                  | loss − floor: 0 when the student does what the teacher does                    |
/// | `chance`              | ln(K + 1): the loss of a student that knows nothing                            |
/// | `queue_real`          | share of the queue's rows that are embeddings by now, 0 to 1                   |
/// | `agreement`           | share of pictures whose most similar row is the same for student and teacher   |
/// | `student_cosine`      | mean cosine of two of the student's embeddings of a batch: 1 where all are alike |
/// | `teacher_cosine`      | the same of the teacher's, as the loss used them                               |
/// | `teacher_temperature` | the teacher's temperature                                                      |
/// | `centre`              | length of the mean that is taken off the teacher's embeddings, if one is       |
/// | `learning_rate`, `gradient_norm` | of the interval's last step, and their mean                         |
/// | `images_per_second`   | of the interval                                                                |
/// | `waiting`             | share of the interval's time spent waiting for input                           |
public final class TrainingLog {
    /// Steps so far.
    public private(set) var steps = 0
    private let file: LineFile?
    private let interval: Int
    private var all = Sums()
    private var recent = Sums()
    private var last: StepReport?
    private let start = Progress.now()
    private var intervalStart: Double
    private var intervalWaited = 0.0

    private struct Sums {
        var steps = 0, pictures = 0
        var loss = 0.0, norm = 0.0
        var floor: Double? = 0, agreement: Double? = 0, studentCosine: Double? = 0, teacherCosine: Double? = 0

        mutating func add(_ report: StepReport) {
            let n = Double(report.pictures)
            steps += 1
            pictures += report.pictures
            loss += report.loss * n
            norm += report.gradientNorm
            func sum(_ sum: Double?, _ value: Double?) -> Double? { value.flatMap { value in sum.map { $0 + value * n } } }
            floor = sum(floor, report.floor)
            agreement = sum(agreement, report.agreement)
            studentCosine = sum(studentCosine, report.studentCosine)
            teacherCosine = sum(teacherCosine, report.teacherCosine)
        }

        func mean(_ sum: Double?) -> Double? { sum.map { $0 / Double(max(1, pictures)) } }
    }

    /// - Parameter path: the file; nil for none. What was in it is lost with the first line.
    public init(_ path: String?, interval: Int) throws {
        file = try path.map { try LineFile($0) }
        self.interval = interval
        intervalStart = start
    }

    /// Counts a step, and writes a line when the interval is full.
    ///
    /// - Parameters:
    ///   - queue: rows of the queue that are embeddings, and all its rows.
    ///   - waited: seconds that all reading has waited so far.
    public func add(_ report: StepReport, queue: (real: Int, capacity: Int)?, waited: Double) throws {
        steps += 1
        last = report
        all.add(report)
        recent.add(report)
        if recent.steps == interval { try flush(queue, waited) }
    }

    /// Writes what is left.
    public func finish(queue: (real: Int, capacity: Int)?, waited: Double) throws {
        if recent.steps > 0 { try flush(queue, waited) }
    }

    private func flush(_ queue: (real: Int, capacity: Int)?, _ waited: Double) throws {
        let now = Progress.now()
        let seconds = max(now - intervalStart, 1e-9)
        if let file, let last {
            var line = JSON.Object()
            func number(_ value: Double?) -> JSON? { value.map { $0.isFinite ? .number($0) : .null } }
            line["epoch"] = .integer(Int64(last.epoch))
            line["step"] = .integer(Int64(last.step))
            line["images"] = .integer(Int64(recent.pictures))
            line["seconds"] = number(seconds)
            line["loss"] = number(recent.mean(recent.loss))
            line["floor"] = number(recent.mean(recent.floor))
            line["kl"] = number(recent.mean(recent.floor).map { recent.loss / Double(max(1, recent.pictures)) - $0 })
            line["chance"] = number(queue.map { log(Double($0.capacity) + 1) })
            line["queue_real"] = number(queue.map { Double($0.real) / Double($0.capacity) })
            line["agreement"] = number(recent.mean(recent.agreement))
            line["student_cosine"] = number(recent.mean(recent.studentCosine))
            line["teacher_cosine"] = number(recent.mean(recent.teacherCosine))
            line["teacher_temperature"] = number(last.teacherTemperature)
            line["centre"] = number(last.centre)
            line["learning_rate"] = number(last.learningRate)
            line["gradient_norm"] = number(recent.norm / Double(recent.steps))
            line["images_per_second"] = number(Double(recent.pictures) / seconds)
            line["waiting"] = number(min(1, max(0, (waited - intervalWaited) / seconds)))
            try file.write(JSON.object(line).text)
        }
        recent = Sums()
        intervalStart = now
        intervalWaited = waited
    }

    /// The epoch in a line for people.
    public func summary(queue: (real: Int, capacity: Int)?) -> String {
        let loss = all.loss / Double(max(1, all.pictures))
        var parts = ["loss \(Progress.fixed(loss, 4))"]
        if let floor = all.mean(all.floor) { parts.append("floor \(Progress.fixed(floor, 4)), KL \(Progress.fixed(loss - floor, 4))") }
        if let queue {
            parts.append("chance \(Progress.fixed(log(Double(queue.capacity) + 1), 4))")
            parts.append("queue \(Progress.fixed(100 * Double(queue.real) / Double(queue.capacity), 0)) % real")
        }
        if let agreement = all.mean(all.agreement) { parts.append("agreement \(Progress.fixed(100 * agreement, 1)) %") }
        if let cosine = last?.studentCosine {
            let teacher = last?.teacherCosine.map { " (teacher \(Progress.fixed($0, 2)))" } ?? ""
            parts.append("mean cosine \(Progress.fixed(cosine, 2))\(teacher)")
        }
        return parts.joined(separator: ", ")
    }
}

/// A text file that can be read while it grows.
///
/// What was in it stays until there is something new, and lines only come behind others: a run that was left behind when its make was
/// killed may still write the same log, and whoever reads it finds whole lines.
private final class LineFile {
    private let descriptor: CInt
    private let path: String
    private var isNew = true

    init(_ path: String) throws {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw Failure.errno(.cannotCreate, path: path, "cannot create it") }
    }

    func write(_ line: String) throws {
        if isNew { ftruncate(descriptor, 0) }  // A device has no length to cut.
        isNew = false
        var bytes = Array((line + "\n").utf8)
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure.errno(.io, path: path, "cannot write") }
            bytes.removeFirst(count)
        }
    }

    deinit { close(descriptor) }
}

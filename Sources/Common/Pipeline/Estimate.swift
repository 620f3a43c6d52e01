import Measurement
import Networks
import Objectives
import Platform
import TensorStreams
import ToolSupport

/// How long the stages to be done will take, and how much disk.
struct Estimate {
    let run: Run
    let folder: RunFolder
    /// Images in an epoch of student and teacher, and those that each network is judged with.
    let images: (student: Int, teacher: Int, judged: Int)
    let teacher: Network?
    /// The teacher where it is a program.
    let program: TeacherProgram?
    /// The stages that are done.
    let done: [String: StageRecord]

    /// What `stages` will take, in words: from what such stages of this run took, else from a step of each network measured now.
    func time(_ stages: [Stage]) -> String {
        var seconds = 0.0, isMeasured = false
        func add(_ images: Int, _ done: Double?, _ measured: @autoclosure () -> Double) {
            guard images > 0 else { return }
            if done == nil { isMeasured = true }
            seconds += Double(images) * (done ?? measured())
        }
        let teacherName = teacher?.name ?? run.settings["TEACHER_NETWORK"], student = run.settings["STUDENT"]
        /// Passes without a gradient take less.
        func passes(_ method: any Objective.Type, _ crops: Crops) -> Double { method.passes(MethodOptions()).reduce(0) { $0 + crops.rows($1, N: 1) } }
        let crops = run.settings.studentCrops, taught = run.settings.teacherOrigin == .none ? 0 : crops.taught(studentMethod)
        add(epochs("student", stages) * images.student, took { isEpoch($0, of: "student") },
            passes(studentMethod, crops) * measured(.train, student) + (taught > 0 ? taught * embedding(teacherName) : 0))
        add(epochs("teacher", stages) * images.teacher, took { isEpoch($0, of: "teacher") }, passes(run.settings.teacherMethod, run.settings.teacherCrops) * measured(.train, teacherName))
        for (subject, network) in [("teacher", teacherName), ("student", student)] {
            func isOfSubject(_ name: StageName) -> Bool { name.kind == "features" && name.subject.map { StageName($0).kind } == subject }
            let sets = stages.count { isOfSubject(StageName($0.name)) && StageName($0.name).part == "train" }
            // Features and embeddings are a pass each.
            add(sets * images.judged, took { isOfSubject(StageName($0)) }, subject == "teacher" && program != nil ? embedding(network) : 2 * measured(.embed, network))
        }
        let basis = isMeasured ? "measured just now, and far off if the machine had other work then" : "as this run's finished stages took"
        return "about \(Progress.duration(seconds)), \(basis)"
    }

    /// Seconds that an image takes the teacher.
    private func embedding(_ network: String) -> Double { program?.secondsPerImage ?? measured(.embed, network) }
    private func isEpoch(_ name: String, of network: String) -> Bool { (StageName(name).epoch(of: network) ?? 0) > 0 }
    func epochs(_ network: String, _ stages: [Stage]) -> Int { stages.count { isEpoch($0.name, of: network) } }

    /// Rows of the queues.
    var studentQueue: Int { (studentMethod.hasQueue ? run.settings.count("QUEUE") : nil) ?? queue(studentMethod, images: images.student) }
    var teacherQueue: Int { queue(run.settings.teacherMethod, images: images.teacher) }
    private func queue(_ method: any Objective.Type, images: Int) -> Int { method.hasQueue ? min(65536, images / 2) : 0 }
    var studentMethod: any Objective.Type { run.settings.method }

    /// The network `name` with the head that initialize gives it.
    func trained(_ name: String) -> Network? {
        Network(name, head: .none).flatMap { Network(name, head: .mlp(hidden: $0.featureWidth, run.embedding)) }
    }

    /// Bytes that the checkpoints of `stages` will take, if `kept` of each network are kept.
    func bytes(_ stages: [Stage], kept: Int?) -> Int {
        func size(_ name: String, _ method: any Objective.Type, queue: Int) -> Int {
            guard let network = trained(name) else { return 0 }
            // Weights of all models, the student's momenta, the queue.
            let models = method.models(MethodOptions()).count
            return 4 * ((models + 1) * network.parameterCount + models * network.statisticsCount + queue * run.embedding)
        }
        func count(_ network: String) -> Int {
            let all = stages.count { StageName($0.name).epoch(of: network) != nil }
            return min(all, kept.map { $0 + 2 } ?? all)
        }
        // What is written anew takes the place of what is there.
        let present = stages.flatMap(\.outputs).compactMap { FileStamp(folder.file($0))?.size }.reduce(0, +)
        let all = count("student") * size(run.settings["STUDENT"], studentMethod, queue: studentQueue)
            + count("teacher") * size(run.settings["TEACHER_NETWORK"], run.settings.teacherMethod, queue: teacherQueue)
        return max(0, all - present)
    }

    /// Bytes free where the run lies; nil where the system does not tell.
    var free: Int? {
        var status = statvfs()
        guard unsafe statvfs(folder.existing, &status) == 0 else { return nil }
        // Some file systems have no blocks to count.
        let (bytes, isTooMuch) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return status.f_blocks == 0 ? nil : isTooMuch ? Int.max : Int(clamping: bytes)
    }

    /// Seconds an image took in the latest three stages that are done and of this kind; nil where none has a log.
    private func took(_ isMeant: (String) -> Bool) -> Double? {
        var (seconds, images, logs) = (0.0, 0.0, 0)
        for name in run.stages.names.reversed() where logs < 3 && done[name] != nil && isMeant(name) {
            guard let bytes = [".jsonl", ".json"].lazy.compactMap({ try? TextFile.bytes(folder.file("log/\(name)\($0)")) }).first else { continue }
            for line in bytes.split(separator: 0x0A) {
                guard let json = try? JSON(parsing: Array(line)), let time = json["seconds"]?.asNumber, let count = json["images"]?.asNumber else { continue }
                (seconds, images) = (seconds + max(0, time), images + max(0, count))
            }
            logs += 1
        }
        return seconds > 0 && images > 0 ? seconds / images : nil
    }

    /// Seconds an image takes in a small batch, the second time that it is done.
    private func measured(_ kind: Workload.Kind, _ network: String) -> Double {
        // Large images cost as their area does; a step of them would take more memory than the run itself.
        let size = run.settings.number("SIZE"), measured = min(size, 224)
        let workload = Workload(kind, network, size: measured, batch: min(8, run.settings.number("BATCH")))
        let steps = WorkloadRun(workload)
        steps.runBatch()
        let start = Progress.now()
        steps.runBatch()
        let area = Double(size * size) / Double(measured * measured)
        return area * (Progress.now() - start) / Double(workload.batch)
    }
}

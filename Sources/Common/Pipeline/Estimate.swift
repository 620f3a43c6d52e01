import Measurement
import Networks
import Objectives
import Optimizers
import Platform
import TensorStreams
import ToolSupport

/// An estimate of the time, disk space and memory that the remaining stages take.
struct Estimate {
    let run: Run
    let folder: RunFolder
    /// The images in an epoch of the student and of the teacher, and those that each network is evaluated on.
    let images: (student: Int, teacher: Int, judged: Int)
    /// The teachers whose weights are given.
    let teachers: [Network]
    /// The teacher program, if the teacher is a program.
    let program: TeacherProgram?
    /// The finished stages.
    let done: [String: StageRecord]

    /// The time that `stages` will take, in words.
    ///
    /// It is based on the time of finished stages of the same kind in this run, or else on a step of each network that
    /// is measured now.
    func time(_ stages: [Stage]) -> String {
        var seconds = 0.0, isMeasured = false
        func add(_ images: Int, _ done: Double?, _ measured: @autoclosure () -> Double) {
            guard images > 0 else { return }
            if done == nil { isMeasured = true }
            seconds += Double(images) * (done ?? measured())
        }
        let teacherName = teacherNetworks[0]
        // Each network is measured only once.
        var known: [String: Double] = [:]
        func training(_ network: String) -> Double {
            let seconds = known[network] ?? measured(.train, network)
            known[network] = seconds
            return seconds
        }
        /// The rows of all passes. It counts passes without a gradient in full, although they take less time.
        func passes(_ method: any Objective.Type, _ crops: Crops) -> Double { method.passes(MethodOptions()).reduce(0) { $0 + crops.rows($1, N: 1) } }
        let crops = run.settings.studentCrops, taught = run.settings.teacherOrigin == .none ? 0 : crops.taught(studentMethod)
        let teaching = { taught > 0 ? taught * teacherNetworks.reduce(0) { $0 + embedding($1) } : 0 }
        add(stages.count { StageName($0.name).epoch(of: "store") != nil } * images.student, took { StageName($0).epoch(of: "store") != nil }, teaching())
        for (group, count) in groups(stages) {
            // Students that are trained side by side have each recorded the time of all.
            let before = group.compactMap { student in took { isEpoch($0, of: student.name) } }.max()
            let new = group.filter { student in took { isEpoch($0, of: student.name) } == nil }
            if before != nil { add(count * images.student, before, 0) }
            if !new.isEmpty {
                add(count * images.student, nil, new.reduce(0) { $0 + passes(studentMethod, crops) * training($1.network) } + (before == nil && run.settings.store == nil ? teaching() : 0))
            }
        }
        add(stages.contains { $0.name == "bags" } ? images.student : 0, took { $0 == "bags" }, measured(.embed, teacherName))
        add(epochs("teacher", stages) * images.teacher, took { isEpoch($0, of: "teacher") }, passes(run.settings.teacherMethod, run.settings.teacherCrops) * measured(.train, teacherName))
        for (subject, network) in Array(zip(run.settings.teacherNames, teacherNetworks)) + run.students.map({ ($0.name, $0.network) }) {
            func isOfSubject(_ name: StageName) -> Bool { name.kind == "features" && name.subject.map { StageName($0).kind } == subject }
            let sets = stages.count { isOfSubject(StageName($0.name)) && StageName($0.name).part == "train" }
            // Features and embeddings take one pass each.
            add(sets * images.judged, took { isOfSubject(StageName($0)) }, subject == "teacher" && program != nil ? embedding(network) : 2 * measured(.embed, network))
        }
        let basis = isMeasured ? "measured just now, inaccurate if the machine was busy" : "estimated from this run's finished stages"
        return "about \(Progress.duration(seconds)), \(basis)"
    }

    /// The networks of the teachers: those that are given, or the one that is trained.
    var teacherNetworks: [String] { teachers.isEmpty ? [run.settings["TEACHER_NETWORK"]] : teachers.map(\.name) }

    /// The teacher's time per image, in seconds.
    private func embedding(_ network: String) -> Double { program?.secondsPerImage ?? measured(.embed, network) }
    private func isEpoch(_ name: String, of network: String) -> Bool { (StageName(name).epoch(of: network) ?? 0) > 0 }
    func epochs(_ network: String, _ stages: [Stage]) -> Int { stages.count { isEpoch($0.name, of: network) } }

    /// The groups of students that are trained side by side in the remaining epochs, and the number of these epochs.
    /// Students that are ahead wait for the others.
    func groups(_ stages: [Stage]) -> [(students: [Student], epochs: Int)] {
        var groups: [(students: [Student], epochs: Int)] = []
        let numbers = run.students.map { student in Set(stages.compactMap { StageName($0.name).epoch(of: student.name) }) }
        for n in 1...run.epochs {
            let students = zip(run.students, numbers).filter { $1.contains(n) }.map(\.0), names = students.map(\.name)
            guard !students.isEmpty else { continue }
            if let index = groups.firstIndex(where: { $0.students.map(\.name) == names }) { groups[index].epochs += 1 } else { groups.append((students, 1)) }
        }
        return groups
    }

    /// The size in bytes of the teacher's stored rows for `epochs` epochs.
    func storedBytes(_ store: Store, epochs: Int) -> Int {
        let batch = run.settings.number("BATCH")
        let image = store.bytes(rows: run.settings.studentCrops.taughtRows(studentMethod), width: run.teacherRows ?? run.embedding)
        // The limit is larger than any disk and avoids overflow.
        return Int(min(1e17, Double(epochs) * Double(images.student / batch * batch) * Double(image)))
    }

    /// The number of rows of the queues.
    var studentQueue: Int { (studentMethod.hasQueue ? run.settings.count("QUEUE") : nil) ?? studentMethod.usualQueue(images: images.student) }
    var teacherQueue: Int { run.settings.teacherMethod.usualQueue(images: images.teacher) }
    var studentMethod: any Objective.Type { run.settings.method }

    /// The network `name` with the head that initialize gives it for a method.
    func trained(_ name: String, _ method: any Objective.Type) -> Network? {
        Network(name, head: .none).flatMap { bare in
            let head: Head = switch method.head {
            case .mlp: .mlp(hidden: bare.featureWidth, run.embedding)
            case .named(let name): .named(name, features: bare.featureWidth, embedding: run.settings.count("EMBEDDING")) ?? .none
            case .namedAsTeacher(let name): .named(name, features: bare.featureWidth, embedding: run.teacherRows ?? run.embedding) ?? .none
            case .linear: .linear(run.teacherRows ?? run.embedding)
            case .classifier: .linear(run.classes)
            case .none: .none
            }
            return Network(name, head: head)
        }
    }
    /// The number of values that a method keeps besides its networks.
    func keptCount(_ method: any Objective.Type, queue: Int, _ student: Network) -> Int {
        method.keptCount(K: queue, teacherWidth: run.teacherRows ?? run.embedding, student: student)
    }
    /// The parameter count of each further network that a method keeps, and whether it is trained.
    func others(_ method: any Objective.Type, _ student: Network) -> [(parameters: Int, isTrained: Bool)] {
        method.models(MethodOptions()).dropFirst().map { ($0.network(beside: student).parameterCount, $0.isTrained) }
    }
    /// The number of values that a network's optimizer keeps per parameter.
    func slots(_ method: any Objective.Type, _ options: [String]) -> Int {
        let name = ShellWords.value(of: "--optimizer", in: options).flatMap(OptimizerName.init) ?? method.defaults?.optimizer ?? .sgd
        return name.family == .adam ? 2 : 1
    }
    var studentOptions: [String] { run.settings.words("STUDENT_OPTIONS") }
    var teacherOptions: [String] { run.settings.words("TEACHER_OPTIONS") }

    /// The additional disk space in bytes for the checkpoints of `stages`, including interim ones, and their stored
    /// rows, if `kept` checkpoints of each network are kept.
    func bytes(_ stages: [Stage], kept: Int?) -> Int {
        func size(_ name: String, _ method: any Objective.Type, queue: Int, _ options: [String]) -> Int {
            guard let network = trained(name, method) else { return 0 }
            // Weights of all models, optimizer state of those that are trained, the queue.
            let others = others(method, network), slots = slots(method, options)
            let further = others.reduce(0) { $0 + $1.parameters * ($1.isTrained ? 1 + slots : 1) }
            return 4 * ((1 + slots) * network.parameterCount + further + (1 + others.count) * network.statisticsCount + keptCount(method, queue: queue, network))
        }
        func count(_ network: String) -> Int {
            let all = stages.count { StageName($0.name).epoch(of: network) != nil }
            return min(all, kept.map { $0 + 2 } ?? all) + (all > 0 ? Interim.kept : 0)
        }
        // Files that are written again replace existing ones.
        let present = stages.flatMap(\.outputs).compactMap { FileStamp(folder.file($0))?.size }.reduce(0, +)
        let stored = run.settings.store.map { store in storedBytes(store, epochs: stages.count { StageName($0.name).epoch(of: "store") != nil }) } ?? 0
        let all = stored + run.students.reduce(0) { $0 + count($1.name) * size($1.network, studentMethod, queue: studentQueue, studentOptions) }
            + count("teacher") * size(run.settings["TEACHER_NETWORK"], run.settings.teacherMethod, queue: teacherQueue, teacherOptions)
        return max(0, all - present)
    }

    /// The free disk space in bytes at the run's folder; nil if the system does not report it.
    var free: Int? {
        var status = statvfs()
        guard unsafe statvfs(folder.existing, &status) == 0 else { return nil }
        // Some file systems have no block counts.
        let (bytes, isTooMuch) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return status.f_blocks == 0 ? nil : isTooMuch ? Int.max : Int(clamping: bytes)
    }

    /// Seconds per image in the latest three finished stages of this kind; nil if none has a log.
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

    /// Seconds per image in a small batch, measured on its second run.
    private func measured(_ kind: Workload.Kind, _ network: String) -> Double {
        // The time scales with the image area. A step on large images would take more memory than the run itself.
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

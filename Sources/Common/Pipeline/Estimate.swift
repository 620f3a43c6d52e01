import Measurement
import Networks
import TensorStreams
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How long the stages to be done will take, and how much disk.
struct Estimate {
    let run: Run
    let folder: RunFolder
    /// Pictures in an epoch of student and teacher, and those that each network is judged with.
    let pictures: (student: Int, teacher: Int, judged: Int)
    let teacher: Network?

    /// Seconds for `stages`: by what the run's logs tell of such stages, else by a step of each network measured now.
    func seconds(_ stages: [Stage]) -> Double {
        let settings = run.settings
        let names = stages.map(\.name)
        func isEpoch(_ name: String, of network: String) -> Bool { name.hasPrefix(network + ".") && !name.hasSuffix(".0") }
        let students = names.count { isEpoch($0, of: "student") }, teachers = names.count { isEpoch($0, of: "teacher") }
        let features = names.filter { $0.hasPrefix("features.") && $0.hasSuffix(".train") }.count
        var seconds = 0.0
        let teacherName = teacher?.name ?? settings["TEACHER_NETWORK"]
        if students > 0 {
            let image = logged("student") ?? measured(.train, settings["STUDENT"]) + measured(.embed, teacherName)
            seconds += Double(students * pictures.student) * image
        }
        if teachers > 0 {
            // Two views; MoCo's keys take a forward pass and no backward one.
            let image = logged("teacher") ?? 2 * measured(.train, teacherName)
            seconds += Double(teachers * pictures.teacher) * image
        }
        if features > 0 { seconds += Double(features * pictures.judged) * max(measured(.embed, settings["STUDENT"]), measured(.embed, teacherName)) * 2 }
        return seconds
    }

    /// Bytes that the checkpoints of `stages` will take, if `kept` of each network are kept.
    func bytes(_ stages: [Stage], kept: Int?) -> Int {
        func size(_ name: String, queue: Int) -> Int {
            guard let network = Network(name, head: .mlp(hidden: 1, run.embedding)) else { return 0 }
            // Weights and momenta, the head's hidden layer, the queue.
            let hidden = network.featureWidth * (network.featureWidth + run.embedding)
            return 4 * (2 * (network.parameterCount + hidden) + network.statisticsCount + queue * run.embedding)
        }
        func count(_ network: String) -> Int {
            let all = stages.count { $0.name.hasPrefix(network + ".") }
            return min(all, kept.map { $0 + 2 } ?? all)
        }
        let queue = run.settings.count("QUEUE") ?? min(65536, pictures.student / 2)
        let teacherQueue = run.settings["TEACHER_OBJECTIVE"] == "moco-v2" ? min(65536, pictures.teacher / 2) : 0
        // MoCo's second encoder comes on top.
        let teacherSize = size(run.settings["TEACHER_NETWORK"], queue: teacherQueue) * (teacherQueue > 0 ? 3 : 2) / 2
        // What is written anew takes the place of what is there.
        let present = stages.flatMap(\.outputs).compactMap { FileStamp(folder.file($0))?.size }.reduce(0, +)
        let all = count("student") * size(run.settings["STUDENT"], queue: queue) + count("teacher") * teacherSize
        return max(0, all - present)
    }

    /// Bytes free where the run lies; nil where the system does not tell.
    var free: Int? {
        var status = statvfs()
        // The folder may not be there yet.
        var place = folder.path
        while unsafe statvfs(place, &status) != 0 {
            guard errno == ENOENT else { return nil }
            let parts = place.parts("/").dropLast()
            if parts.isEmpty {
                guard unsafe statvfs(".", &status) == 0 else { return nil }
                break
            }
            place = parts.count == 1 && parts[0].isEmpty ? "/" : parts.joined(separator: "/")
        }
        // Some file systems have no blocks to count.
        let (bytes, isTooMuch) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return status.f_blocks == 0 ? nil : isTooMuch ? Int.max : Int(clamping: bytes)
    }

    /// Seconds an image took in the latest epoch that has a log.
    private func logged(_ network: String) -> Double? {
        let epochs = network == "student" ? run.epochs : run.teacherEpochs
        for n in stride(from: epochs, through: 1, by: -1) {
            guard let bytes = try? TextFile.bytes(folder.file("log/\(network).\(n).jsonl")), let last = bytes.split(separator: 0x0A).last,
                let rate = (try? JSON(parsing: Array(last)))?["images_per_second"]?.asNumber, rate > 0
            else { continue }
            return 1 / rate
        }
        return nil
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

import Networks

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Estimate {
    /// Bytes of memory that the processes of the largest of `stages` take together; nil where none of them trains.
    func memory(_ stages: [Stage]) -> Int? {
        let settings = run.settings, batch = settings.number("BATCH"), teacherBatch = settings.number("TEACHER_BATCH")
        var needs: [Int] = []
        if epochs("student", stages) > 0 {
            let embed = teacher?.name ?? settings["TEACHER_NETWORK"]
            needs.append(training(settings["STUDENT"], N: batch, groups: 1, queue: studentQueue) + embedding(embed, N: batch) + images(batch))
        }
        if epochs("teacher", stages) > 0 {
            let name = settings["TEACHER_NETWORK"], isMoCo = settings["TEACHER_OBJECTIVE"] == "moco-v2"
            // Both views are one batch, or each has a pass of its own.
            needs.append(
                images(2 * teacherBatch)
                    + (isMoCo ? training(name, N: teacherBatch, groups: 2, queue: teacherQueue) : training(name, N: 2 * teacherBatch, groups: 1, queue: 0)))
        }
        return needs.max()
    }

    /// Bytes of memory and swap that processes here can have.
    static var machineMemory: Int? {
        let pages = sysconf(CInt(_SC_PHYS_PAGES)), page = sysconf(CInt(_SC_PAGESIZE))
        guard pages > 0, page > 0 else { return nil }
        func number(_ path: String, after name: String = "") -> Int? {
            guard let bytes = try? TextFile.bytes(path) else { return nil }
            let line = bytes.split(separator: 0x0A).first { $0.starts(with: name.utf8) }
            return line.flatMap { Int(String(decoding: $0.dropFirst(name.utf8.count).filter { (0x30...0x39).contains($0) }, as: UTF8.self)) }
        }
        let swap = number("/proc/meminfo", after: "SwapTotal:") ?? 0
        // A container may have less; "max" holds no digits.
        let group = number("/sys/fs/cgroup/memory.max") ?? .max
        return min(pages * page + swap * 1024, group)
    }

    /// Of train-step: what a batch of N needs grows with N, from two small batches that are planned and not run.
    private func training(_ name: String, N: Int, groups: Int, queue: Int) -> Int {
        guard let network = trained(name) else { return 0 }
        let n = 2 * groups
        let few = TrainingRun(network, N: n, height: planned, width: planned, groups: groups).memory
        let twice = TrainingRun(network, N: 2 * n, height: planned, width: planned, groups: groups).memory
        let each = Double(max(0, twice - few)) / Double(n) * area
        // Weights, gradients, momenta, and what is written of them; a momentum encoder where there are groups.
        let copies = groups > 1 ? 5 : 4
        return few + Int(each * Double(max(0, N - n))) + 4 * (copies * network.parameterCount + queue * run.embedding)
    }

    private func embedding(_ name: String, N: Int) -> Int {
        guard let network = trained(name) else { return 0 }
        let bytes = InferenceRun(Weights(network), output: .embedding, height: planned, width: planned, batch: N).bytes
        return Int(Double(bytes) * area) + 4 * network.parameterCount
    }

    /// Decoded views: those that are made, under way and read.
    private func images(_ count: Int) -> Int { 6 * count * size * size * 3 }

    private var size: Int { run.settings.number("SIZE") }
    /// Larger images are not planned: it would take their memory.
    private var planned: Int { min(size, 224) }
    private var area: Double { Double(size * size) / Double(planned * planned) }
}

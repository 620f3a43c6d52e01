import Networks
import Objectives
import Platform

extension Estimate {
    /// The peak memory in bytes of all processes of the largest of `stages`; nil if no stage trains.
    func memory(_ stages: [Stage]) -> Int? {
        let settings = run.settings, batch = settings.number("BATCH"), teacherBatch = settings.number("TEACHER_BATCH")
        var needs: [Int] = []
        let groups = groups(stages), storing = stages.contains { StageName($0.name).epoch(of: "store") != nil }
        if !groups.isEmpty || storing {
            // The memory of a teacher program is unknown.
            let teaching = [.given, .trained].contains(settings.teacherOrigin) ? teacherNetworks.reduce(0) { $0 + embedding($1, N: batch) } : 0
            let crops = settings.studentCrops, images = imageBytes(crops, batch)
            if storing { needs.append(teaching + images) }
            needs += groups.map { group in
                let learning = group.students.reduce(0) { $0 + training($1.network, studentMethod, crops, N: batch, queue: studentQueue, studentOptions) }
                // Batches that wait for each of the students.
                return learning + (settings.store == nil ? teaching : 0) + images * (1 + group.students.count) / 2
            }
        }
        if epochs("teacher", stages) > 0 {
            let crops = settings.teacherCrops
            needs.append(imageBytes(crops, teacherBatch) + training(settings["TEACHER_NETWORK"], settings.teacherMethod, crops, N: teacherBatch, queue: teacherQueue, teacherOptions))
        }
        return needs.max()
    }

    /// Bytes of memory and swap that are available to processes on this machine.
    static var machineMemory: Int? {
        let pages = sysconf(CInt(_SC_PHYS_PAGES)), page = sysconf(CInt(_SC_PAGESIZE))
        guard pages > 0, page > 0 else { return nil }
        func number(_ path: String, after name: String = "") -> Int? {
            guard let bytes = try? TextFile.bytes(path) else { return nil }
            let line = bytes.split(separator: 0x0A).first { $0.starts(with: name.utf8) }
            return line.flatMap { Int(String(decoding: $0.dropFirst(name.utf8.count).filter { (0x30...0x39).contains($0) }, as: UTF8.self)) }
        }
        let swap = number("/proc/meminfo", after: "SwapTotal:") ?? 0
        // A container may have less; "max" has no digits.
        let group = number("/sys/fs/cgroup/memory.max") ?? .max
        return min(pages * page + swap * 1024, group)
    }

    /// The memory of train-step with these options, for a batch of N images.
    private func training(_ name: String, _ method: any Objective.Type, _ crops: Crops, N: Int, queue: Int, _ options: [String]) -> Int {
        guard let network = trained(name, method) else { return 0 }
        let groups = max(1, min(N, ShellWords.value(of: "--batch-groups", in: options).flatMap { Int($0) } ?? 1)), n = (N + groups - 1) / groups
        // Passes without a gradient reuse the memory of one with a gradient. With --recompute all passes share the
        // memory of the largest.
        let passes = method.passes(MethodOptions()).filter { $0.hasGradient && $0.readsImages }.map { Int(crops.rows($0, N: n)) }.filter { $0 > 0 }
            .map { pass(network, N: $0, groups: groups > 1 ? 1 : min(2, method.normalizationGroups($0))) }
        let activations = options.contains("--recompute") ? passes.max() ?? 0 : groups * passes.reduce(0, +)
        // Weights, gradients, partial sums of the batch groups, optimizer state, and the copy that is written; the
        // weights of the other models.
        let sums = groups > 1 ? Int.bitWidth - (groups - 1).leadingZeroBitCount : 0, copies = 3 + slots(method, options) + sums
        let others = others(method, network).reduce(0) { $0 + $1.parameters * ($1.isTrained ? copies : 1) }
        return activations + 4 * (copies * network.parameterCount + others + keptCount(method, queue: queue, network))
    }

    /// The memory of one pass over N rows.
    ///
    /// It grows linearly with N, so it is extrapolated from two small batches that are planned but not run.
    private func pass(_ network: Network, N: Int, groups: Int) -> Int {
        let n = 2 * groups
        let few = TrainingRun(network, N: n, height: planned, width: planned, groups: groups).memory
        let twice = TrainingRun(network, N: 2 * n, height: planned, width: planned, groups: groups).memory
        return few + Int(Double(max(0, twice - few)) / Double(n) * area * Double(max(0, N - n)))
    }

    private func embedding(_ name: String, N: Int) -> Int {
        guard let network = trained(name, SEED.self) else { return 0 }
        if run.settings.takesBatchStatistics { return pass(network, N: N, groups: 1) + 4 * network.parameterCount }
        let bytes = InferenceRun(Weights(network), output: .embedding, height: planned, width: planned, batch: N).bytes
        return Int(Double(bytes) * area) + 4 * network.parameterCount
    }

    /// Decoded views: those being made, in transit, and being read.
    private func imageBytes(_ crops: Crops, _ batch: Int) -> Int { Int(crops.all * Double(6 * batch * size * size * 3)) }

    private var size: Int { run.settings.number("SIZE") }
    /// Larger images are not planned, because planning would take their memory.
    private var planned: Int { min(size, 224) }
    private var area: Double { Double(size * size) / Double(planned * planned) }
}

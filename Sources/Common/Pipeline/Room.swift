/// The disk space and memory that stages need, and what is available.
struct Room {
    /// Bytes of the checkpoints and stored rows.
    let disk: Int
    /// Free disk space in bytes at the run's folder; nil if the system does not report it.
    let free: Int?
    /// Bytes that the largest stage needs, and bytes available on this machine; nil if no stage trains or the system
    /// does not report it.
    let memory: (need: Int, machine: Int)?

    init(_ estimate: Estimate, _ stages: [Stage], kept: Int?) {
        disk = estimate.bytes(stages, kept: kept)
        free = estimate.free
        memory = if let need = estimate.memory(stages), let machine = Estimate.machineMemory { (need, machine) } else { nil }
    }
}

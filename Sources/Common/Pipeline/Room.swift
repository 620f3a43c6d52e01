/// What some stages need of disk and memory, and what there is.
struct Room {
    /// Bytes of the checkpoints and of stored rows.
    let disk: Int
    /// Bytes free where the run lies; nil where the system does not tell.
    let free: Int?
    /// Bytes of the largest stage, and those that processes here can have; nil where no stage trains or the system does not tell.
    let memory: (need: Int, machine: Int)?

    init(_ estimate: Estimate, _ stages: [Stage], kept: Int?) {
        disk = estimate.bytes(stages, kept: kept)
        free = estimate.free
        memory = if let need = estimate.memory(stages), let machine = Estimate.machineMemory { (need, machine) } else { nil }
    }
}

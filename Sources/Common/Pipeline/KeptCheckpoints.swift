import Platform

/// KEEP's rule: of each network the latest checkpoints stay, and the first, which is judged too.
struct KeptCheckpoints {
    /// Nil where all are kept.
    private let count: Int?
    private let folder: String

    init(_ settings: RunSettings, in folder: String) { (count, self.folder) = (settings.count("KEEP"), folder) }

    /// Removes the checkpoints of `network` that do not stay when its epochs up to `epoch` are done.
    func prune(_ network: String, after epoch: Int) {
        guard let count else { return }
        for n in stride(from: epoch - count, to: 0, by: -1) { unsafe unlink("\(folder)/\(network).\(n).safetensors") }
    }
}

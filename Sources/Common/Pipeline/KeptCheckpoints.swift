import Platform

/// The rule of KEEP: for each network, keep the latest checkpoints and the initial one, which is also evaluated.
struct KeptCheckpoints {
    /// The number to keep; nil for all.
    private let count: Int?
    private let folder: String

    init(_ settings: RunSettings, in folder: String) { (count, self.folder) = (settings.count("KEEP"), folder) }

    /// Removes the checkpoints of `network` that are not kept once its epochs up to `epoch` are finished.
    func prune(_ network: String, after epoch: Int) {
        guard let count else { return }
        for n in stride(from: epoch - count, to: 0, by: -1) { unsafe unlink("\(folder)/\(network).\(n).safetensors") }
    }
}

import Networks

/// facebookresearch/swav, with DeepCluster-v2 and SeLa-v2: torchvision's names, plus `projection_head` (with a batch
/// norm or, for R50w5, without) and prototypes.
extension Layout {
    private static let swavFacts = ["pixels": Pixels.swav.text]

    static let swav = [
        Layout(
            name: "SwAV", backbone: "", head: [("projection_head.0.", 0), ("projection_head.1.", 1), ("projection_head.2.", 2), ("projection_head.3.", 3)],
            mark: "projection_head.0.", facts: swavFacts),
        Layout(name: "SwAV", backbone: "", head: [("projection_head.", nil)], mark: "projection_head.", facts: swavFacts),
        Layout(name: "SwAV", backbone: "", mark: "prototypes", facts: swavFacts),
    ]
    /// Whether a tensor besides a network contains SwAV's prototypes (K, D): of SwAV's code (with several heads,
    /// those of the first), of VISSL, or of a training of this project.
    static func arePrototypes(_ name: String) -> Bool {
        name.hasSuffix("prototypes.weight") || name.hasSuffix("prototypes0.weight") || name == WeightsDocument.trainingPrefix + "prototypes.1.weight"
    }

    /// SEED's `simclr_200.pth`: its head is `fc.0`, `fc.1` (batch norm), `fc.3`.
    static let simCLRofSEED = Layout(name: "torchvision's names, and a head with a batch norm", backbone: "", mark: "fc.1.running_mean")
}

import Networks

/// facebookresearch/swav, with DeepCluster-v2 and SeLa-v2: torchvision's names, and beside them `projection_head` (with a batch norm or, of R50w5, without) and prototypes.
extension Layout {
    private static let swavFacts = ["pixels": Pixels.swav.text]

    static let swav = [
        Layout(
            name: "SwAV", backbone: "", head: [("projection_head.0.", 0), ("projection_head.1.", 1), ("projection_head.2.", 2), ("projection_head.3.", 3)],
            mark: "projection_head.0.", facts: swavFacts),
        Layout(name: "SwAV", backbone: "", head: [("projection_head.", nil)], mark: "projection_head.", facts: swavFacts),
        Layout(name: "SwAV", backbone: "", mark: "prototypes", facts: swavFacts),
    ]
    /// SEED's `simclr_200.pth`: its head is `fc.0`, `fc.1` (batch norm), `fc.3`.
    static let simCLRofSEED = Layout(name: "SimCLR, as SEED has it", backbone: "", mark: "fc.1.running_mean")
}

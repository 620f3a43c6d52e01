/// facebookresearch/moco (v1: `fc`, v2: `fc.0`, `fc.2`), and SEED's ResNet-101 and -152 teachers, DisCo and BINGO, which keep its names; facebookresearch/moco-v3; SimReg.
extension Layout {
    static let moco = [
        Layout(name: "MoCo", backbone: "encoder_q."),
        Layout(
            name: "MoCo v3", backbone: "base_encoder.", head: [("base_encoder.head.", nil)], networks: ["vit-small-16": "vit-small-16-moco-v3"]),
    ]
    /// facebookresearch/simsiam, whose predictor is no part of the network.
    static let simSiam = Layout(name: "SimSiam", backbone: "encoder.", mark: "predictor.")
    /// The students that jacobswan1/SEED saves, with their teacher and its queue beside them.
    static let seedStudent = Layout(name: "SEED", backbone: "student.", mark: "queue")
}

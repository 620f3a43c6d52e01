import Networks

/// facebookresearch/moco (v1: `fc`, v2: `fc.0`, `fc.2`) and the programs that keep its names: SEED's ResNet-101 and
/// -152 teachers, DisCo and BINGO; facebookresearch/moco-v3; SimReg.
extension Layout {
    static let moco = [
        Layout(name: "MoCo", backbone: "encoder_q."),
        Layout(
            name: "MoCo v3", backbone: "base_encoder.", head: [("base_encoder.head.", nil)], networks: ["vit-small-16": "vit-small-16-moco-v3"]),
    ]
    /// facebookresearch/simsiam, whose predictor is not part of the network.
    static let simSiam = Layout(name: "SimSiam", backbone: "encoder.", mark: "predictor.")
    /// The students saved by jacobswan1/SEED, together with their teacher and its queue.
    static let seedStudent = Layout(name: "SEED", backbone: "student.", mark: "queue")
    /// A student of SEED alone.
    static let student = Layout(name: "a student", backbone: "student.")
}

extension TargetNames {
    /// jacobswan1/SEED: the names of its student, where its linear evaluation expects a ResNet.
    static let seed = TargetNames("seed", formats: [.safetensors, .torch], prefix: "module.student.", inside: "state_dict") { network in
        guard ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet50-w2", "resnet50-w4", "resnet50-w5"].contains(network.name) else {
            return .none("only its plain and wide ResNets are torchvision's; its MobileNetV3 and EfficientNets are other networks of the same names")
        }
        return .same(Counterpart(renaming: nil, head: network.headName, note: "--arch \(network.name.filter { $0 != "-" })"))
    }
}

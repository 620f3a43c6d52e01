import Layers
import Networks

/// Programs that save a backbone together with a projector.
extension Layout {
    /// Layers 0 to 7 of a Sequential.
    private static func sequential(_ name: String) -> [(theirs: String, layer: Int?)] { (0..<8).map { (number: Int) in ("\(name).\(number).", number) } }

    @Sendable private static func trunkOfResNet(_ name: String) -> String? { name.hasPrefix("fc.") ? nil : name }

    /// solo-learn up to 1.0, which has a classifier besides the projector and, for some methods, a predictor.
    static let soloLearn = Layout(name: "solo-learn", backbone: "encoder.", head: sequential("projector"), mark: "classifier.")

    static let projector = [
        // facebookresearch/dino.
        Layout(name: "DINO", backbone: "backbone.", mark: "head.last_layer", facts: ["positions": PositionGrid.Interpolation.offset.rawValue]),
        // open-mmlab/OpenSelfSup.
        Layout(name: "OpenSelfSup", backbone: "backbone.", head: [("neck.fc0.", 0), ("neck.bn0.", 1), ("neck.fc1.", 3), ("neck.bn1.", 4)], mark: "neck.fc0."),
        Layout(name: "OpenSelfSup", backbone: "backbone.", head: [("neck.mlp.0.", 0), ("neck.mlp.2.", 2)], mark: "neck.mlp."),
        // Full checkpoints of facebookresearch/barlowtwins and vicreg, and later versions of solo-learn.
        Layout(name: "a backbone and a projector", backbone: "backbone.", head: sequential("projector"), mark: "projector.0."),
        Layout(name: "a backbone and a projector", backbone: "backbone.", head: [("projector.", nil)], mark: "projector."),
        // AndrewAtanov/simclr-pytorch.
        Layout(
            name: "SimCLR of AndrewAtanov", backbone: "convnet.", head: [("projection.fc1.", 0), ("projection.bn1.", 1), ("projection.fc2.", 3), ("projection.bn2.", 4)],
            facts: ["pixels": Pixels.plain.text]),
        // Spijkervet/SimCLR.
        Layout(name: "SimCLR of Spijkervet", backbone: "encoder.", head: sequential("projector"), mark: "projector.0.", facts: ["pixels": Pixels.plain.text]),
        // lucidrains/byol-pytorch, whose network keeps its classifier. A projector with simplicial embeddings has
        // nested modules and is not a head of layers, so it is left out.
        Layout(name: "BYOL of lucidrains", backbone: "online_encoder.net.", mark: "online_encoder.projector.0.0.", rename: trunkOfResNet),
        Layout(name: "BYOL of lucidrains", backbone: "online_encoder.net.", head: sequential("online_encoder.projector"), rename: trunkOfResNet),
        Layout(name: "OpenSelfSup's MoCo", backbone: "encoder_q.0.", head: sequential("encoder_q.1.mlp")),
        Layout(name: "OpenSelfSup's BYOL", backbone: "online_net.0.", head: sequential("online_net.1.mlp")),
        Layout(name: "a backbone", backbone: "backbone."),
        Layout(name: "an encoder", backbone: "encoder."),
    ]
}

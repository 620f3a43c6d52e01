/// The layer names of another program and ours, in one table used for reading and writing.
///
/// A layer's name is a tensor's name without the last component: `layer1.0.conv1` for `layer1.0.conv1.weight`.
struct Renaming: Sendable {
    private let oursByTheirs, theirsByOurs: [String: String]

    /// - Precondition: no name appears twice on either side.
    init(_ layers: [(theirs: String, ours: String)]) {
        oursByTheirs = Dictionary(uniqueKeysWithValues: layers.map { ($0.theirs, $0.ours) })
        theirsByOurs = Dictionary(uniqueKeysWithValues: layers.map { ($0.ours, $0.theirs) })
    }

    /// Our name of their tensor; nil where the table lacks its layer.
    @Sendable func ours(_ name: String) -> String? { Self.renamed(name, oursByTheirs) }
    /// Their name of our tensor; nil where the table lacks its layer.
    @Sendable func theirs(_ name: String) -> String? { Self.renamed(name, theirsByOurs) }

    private static func renamed(_ name: String, _ layers: [String: String]) -> String? {
        guard let dot = name.lastIndex(of: "."), let layer = layers[String(name[..<dot])] else { return nil }
        return layer + name[dot...]
    }

    /// The layers of a ResNet's blocks, with stage, block and convolution counted from 0.
    ///
    /// The ranges exceed those of any ResNet.
    ///
    /// - Parameter theirs: the names of a convolution and of the batch norm after it; without a number, those of the
    ///   shortcut.
    static func blocksOfResNet(_ theirs: (_ stage: Int, _ block: Int, _ convolution: Int?) -> (convolution: String, norm: String)) -> [(theirs: String, ours: String)] {
        (0..<4).flatMap { stage in
            (0..<64).flatMap { block in
                ([0, 1, 2, nil] as [Int?]).flatMap { number in
                    let names = theirs(stage, block, number), own = "layer\(stage + 1).\(block)."
                    return [
                        (names.convolution, own + (number.map { "conv\($0 + 1)" } ?? "downsample.0")),
                        (names.norm, own + (number.map { "bn\($0 + 1)" } ?? "downsample.1")),
                    ]
                }
            }
        }
    }

    enum RegNetLayer: CaseIterable {
        /// After the shortcut: 1×1, grouped 3×3, the two convolutions of squeeze-excite, 1×1.
        case shortcut, first, grouped, squeezeExcite, last
    }

    /// The layers of a RegNet's blocks, with stage and block counted from 0. The ranges exceed those of any RegNet.
    ///
    /// - Parameter theirs: the names of a convolution and of the batch norm after it; for squeeze-excite, those of
    ///   its two convolutions.
    static func blocksOfRegNet(_ theirs: (_ stage: Int, _ block: Int, _ layer: RegNetLayer) -> (String, String)) -> [(theirs: String, ours: String)] {
        (0..<4).flatMap { stage in
            (0..<64).flatMap { block in
                RegNetLayer.allCases.flatMap { layer in
                    let names = theirs(stage, block, layer), own = "trunk_output.block\(stage + 1).block\(stage + 1)-\(block)."
                    let ours = switch layer {
                    case .shortcut: ("proj.0", "proj.1")
                    case .first: ("f.a.0", "f.a.1")
                    case .grouped: ("f.b.0", "f.b.1")
                    case .squeezeExcite: ("f.se.fc1", "f.se.fc2")
                    case .last: ("f.c.0", "f.c.1")
                    }
                    return [(names.0, own + ours.0), (names.1, own + ours.1)]
                }
            }
        }
    }
}

/// The heads of papers, as in their code.
extension Head {
    /// Builds a head for features of d numbers, with embeddings of D numbers instead of the paper's width.
    private typealias Recipe = @Sendable (_ d: Int, _ D: Int?) -> [Layer]

    private static let recipes: [(name: String, layers: Recipe)] = [
        ("moco-v1", { _, D in [.linear(D ?? 128)] }),
        // SEED's head too.
        ("moco-v2", { d, D in [.linear(d), .relu, .linear(D ?? 128)] }),
        ("moco-v3", { _, D in [.linear(4096, bias: false), .batchNorm(), .relu, .linear(D ?? 256, bias: false), .batchNorm(affine: false)] }),
        // google-research/simclr: v1 has two layers, v2 three.
        ("simclr", { d, D in [.linear(d, bias: false), .batchNorm(), .relu, .linear(D ?? 128, bias: false), .batchNormWithoutBias] }),
        (
            "simclr-v2",
            { d, D in
                [
                    .linear(d, bias: false), .batchNorm(), .relu, .linear(d, bias: false), .batchNorm(), .relu, .linear(D ?? 128, bias: false), .batchNormWithoutBias,
                ]
            }
        ),
        ("simclr-seed", { d, D in [.linear(d), .batchNorm(), .relu, .linear(D ?? 128)] }),
        ("simclr-vissl", { d, D in [.linear(d), .relu, .linear(D ?? 128)] }),
        // The hidden layer has 2048 numbers for ResNet-50 and 8192 for its wide variants; the widest was trained
        // without batch norm.
        ("swav", { d, D in [.linear(d > 2048 ? 8192 : 2048), .batchNorm(), .relu, .linear(D ?? 128), .l2Norm] }),
        ("swav-no-batch-norm", { d, D in [.linear(d), .relu, .linear(D ?? 128), .l2Norm] }),
        // VISSL's head for students of a SwAV teacher: the output width is the number of prototypes.
        ("prototype-scores", { _, D in [.linear(2048), .batchNorm(), .relu, .linear(D ?? 3000)] }),
        // A wide hidden layer for small students, against what the paper calls the distilling bottleneck; also BINGO's
        // head.
        ("disco", { _, D in [.linear(2048), .relu, .linear(D ?? 128)] }),
        ("byol", { _, D in [.linear(4096), .batchNorm(), .relu, .linear(D ?? 256, bias: false)] }),
        (
            "simsiam",
            { d, D in
                [.linear(d, bias: false), .batchNorm(), .relu, .linear(d, bias: false), .batchNorm(), .relu, .linear(D ?? 2048), .batchNorm(affine: false)]
            }
        ),
        (
            "barlow-twins",
            { _, D in [.linear(8192, bias: false), .batchNorm(), .relu, .linear(8192, bias: false), .batchNorm(), .relu, .linear(D ?? 8192, bias: false)] }
        ),
        // Up to the unit-length rows that feed its prototypes, which are not part of an embedding.
        ("dino", { _, D in [.linear(2048), .gelu, .linear(2048), .gelu, .linear(D ?? 256), .l2Norm] }),
        // The head of a student, by default on the pooled features of a ResNet-50. There is no rectifier in the middle.
        ("simreg", { d, D in [.linear(2 * d), .batchNorm(), .relu, .linear(d), .linear(2 * d), .batchNorm(), .relu, .linear(D ?? 2048)] }),
    ]

    /// The names that ``named(_:features:embedding:)`` accepts.
    public static var names: [String] { recipes.map(\.name) }

    /// The head of this name; nil if there is none.
    ///
    /// - Parameters:
    ///   - d: the width of the features.
    ///   - D: the width of the embedding; nil for the paper's width.
    public static func named(_ name: String, features d: Int, embedding D: Int? = nil) -> Head? {
        recipes.first { $0.name == name }.map { Head($0.layers(d, D)) }
    }
}

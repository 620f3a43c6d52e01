/// The heads of papers, as their code has them.
extension Head {
    /// For features of d numbers, and embeddings of D in place of as many as the paper has.
    private typealias Recipe = @Sendable (_ d: Int, _ D: Int?) -> [Layer]

    private static let recipes: [(name: String, layers: Recipe)] = [
        ("moco-v1", { _, D in [.linear(D ?? 128)] }),
        // SEED's too.
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
        // The hidden layer of ResNet-50 has 2048 numbers, that of its wide ones 8192; the widest was trained without batch norm.
        ("swav", { d, D in [.linear(d > 2048 ? 8192 : 2048), .batchNorm(), .relu, .linear(D ?? 128), .l2Norm] }),
        ("swav-no-batch-norm", { d, D in [.linear(d), .relu, .linear(D ?? 128), .l2Norm] }),
        // VISSL's for students of a SwAV teacher: as many numbers as there are prototypes.
        ("prototype-scores", { _, D in [.linear(2048), .batchNorm(), .relu, .linear(D ?? 3000)] }),
        // A wide hidden layer for small students, against what the paper calls the distilling bottleneck; BINGO's too.
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
        // Up to the rows of unit length that its prototypes, which have no place in an embedding, read.
        ("dino", { _, D in [.linear(2048), .gelu, .linear(2048), .gelu, .linear(D ?? 256), .l2Norm] }),
        // A student's, on the pooled features of a ResNet-50 if nothing else is said; there is no rectifier in its middle.
        ("simreg", { d, D in [.linear(2 * d), .batchNorm(), .relu, .linear(d), .linear(2 * d), .batchNorm(), .relu, .linear(D ?? 2048)] }),
    ]

    /// Those that ``named(_:features:embedding:)`` knows.
    public static var names: [String] { recipes.map(\.name) }

    /// The head of this name; nil where there is none.
    ///
    /// - Parameters:
    ///   - d: numbers in a feature.
    ///   - D: numbers in an embedding; nil for as many as the paper has.
    public static func named(_ name: String, features d: Int, embedding D: Int? = nil) -> Head? {
        recipes.first { $0.name == name }.map { Head($0.layers(d, D)) }
    }
}

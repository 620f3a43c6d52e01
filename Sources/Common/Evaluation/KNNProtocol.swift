/// The k-NN evaluation of a paper: how many neighbours vote, and how.
///
/// All use the cosine, which for rows of length 1 gives the same order as the Euclidean distance. Papers leave ties to
/// chance; here the nearer class wins.
public struct KNNProtocol: Sendable {
    /// The value of `--protocol`.
    public let name: String
    public let source: String
    public let k: [Int]
    public let votes: [NeighbourVote]

    public static let all = [
        KNNProtocol(name: "seed", source: "SEED, by the embedding or the pooled features", k: [10], votes: [.majority]),
        KNNProtocol(name: "simreg", source: "SimReg, CompRess", k: [1, 20], votes: [.majority]),
        KNNProtocol(name: "dino", source: "DINO, on views of the recipe evaluation-bicubic", k: [10, 20, 100, 200], votes: [.weighted(temperature: 0.07)]),
        KNNProtocol(name: "instdisc", source: "instance discrimination", k: [200], votes: [.weighted(temperature: 0.07)]),
        KNNProtocol(name: "moco", source: "MoCo's demonstration, lightly", k: [200], votes: [.weighted(temperature: 0.1)]),
        KNNProtocol(name: "simsiam", source: "SimSiam", k: [200], votes: [.weighted(temperature: 0.2)]),
    ]

    public static func named(_ name: String) -> KNNProtocol? { all.first { $0.name == name } }
}

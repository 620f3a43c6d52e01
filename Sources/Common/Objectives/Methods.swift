/// The methods that `train-step` knows. To add a method, add a file to this folder and an entry here.
public enum Methods {
    public static let all: [any Objective.Type] = [
        SEED.self, MoCoV2.self, SupervisedContrastive.self,
        MoCoV1.self, SimCLR.self, SwAV.self, BYOL.self, SimSiam.self, BarlowTwins.self,
        SimReg.self, CompRess1Q.self, CompRess2Q.self, SEEDBatch.self, SEEDTeachers.self, DisCo.self, Bingo.self, SwAVDistillation.self, QueueKL.self, FeatureMSE.self,
        KnowledgeDistillation.self, Supervised.self,
    ]

    public static var names: [String] { all.map { $0.name } }
    /// The method of this name; nil where there is none.
    public static func named(_ name: String) -> (any Objective.Type)? { all.first { $0.name == name } }
    /// The methods whose loss `queue-loss` computes.
    public static var pairs: [any PairObjective.Type] { all.compactMap { $0 as? any PairObjective.Type } }
}

/// The methods that `train-step` knows. A new one is a file in this folder and a line here.
public enum Methods {
    public static let all: [any Objective.Type] = [
        SEED.self, MoCoV2.self, SupervisedContrastive.self,
        MoCoV1.self, SimCLR.self, SwAV.self, BYOL.self, SimSiam.self, BarlowTwins.self,
        SimReg.self, CompRess1Q.self, CompRess2Q.self, SEEDBatch.self, SEEDTeachers.self, DisCo.self, Bingo.self, SwAVDistillation.self, QueueKL.self, FeatureMSE.self,
        KnowledgeDistillation.self, Supervised.self,
    ]

    public static var names: [String] { all.map { $0.name } }
    /// nil where there is none of this name.
    public static func named(_ name: String) -> (any Objective.Type)? { all.first { $0.name == name } }
    /// Those whose loss `queue-loss` gives.
    public static var pairs: [any PairObjective.Type] { all.compactMap { $0 as? any PairObjective.Type } }
}

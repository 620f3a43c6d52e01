import TensorStreams

/// One step of a run: what makes some files of the run's folder out of others.
struct Stage {
    /// `student.3`, `features.teacher.train`.
    let name: String
    /// The stages whose files it reads.
    let inputs: [String]
    /// Those of them that decide what it makes. The others hold only what follows from what decides it anyway.
    let decisiveInputs: [String]
    /// The files it makes, by their names in the run's folder; one that ends in `/` is all that is in that folder.
    let outputs: [String]
    /// All that decides its files besides the stages before it: options, and what its data and weights are.
    let decisive: [String]
    /// What it reads that is not of the run, and so may change while it is at work.
    let sources: Set<Source>
    /// Of an epoch of training: the epochs that its schedule spans, should it be done now.
    let schedule: Int?

    /// - Parameter others: stages whose files it reads, besides `inputs`, and that do not decide what it makes.
    init(
        _ name: String, after inputs: [String] = [], beside others: [String] = [], makes outputs: [String], from decisive: [String], reads sources: Set<Source> = [], schedule: Int? = nil
    ) {
        self.name = name
        self.inputs = inputs + others
        decisiveInputs = inputs
        self.outputs = outputs
        self.decisive = decisive
        self.sources = sources
        self.schedule = schedule
    }

    /// The hash of everything that the stage's files follow from.
    ///
    /// - Parameters:
    ///   - inputs: the fingerprints of the stages before it that decide what it makes.
    ///   - schedule: the epochs that its schedule spans or spanned.
    func fingerprint(inputs: [String], schedule: Int?) -> String {
        // Not the number of an epoch: a chain of fingerprints has counted it.
        XXH64.of(decisive + ["after"] + inputs + ["over", schedule.map { "\($0)" } ?? ""])
    }
}

/// The stages of a run, each behind those it needs.
struct StageList {
    private(set) var stages: [Stage] = []
    private var indices: [String: Int] = [:]

    mutating func add(_ stage: Stage) {
        precondition(indices[stage.name] == nil && stage.inputs.allSatisfy { indices[$0] != nil }, "\(stage.name) stands before what it needs")
        indices[stage.name] = stages.count
        stages.append(stage)
    }

    subscript(name: String) -> Stage? { indices[name].map { stages[$0] } }
    var names: [String] { stages.map(\.name) }
}

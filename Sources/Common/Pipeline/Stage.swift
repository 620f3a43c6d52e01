import TensorStreams

/// One step of a run, which makes some files of the run's folder from others.
struct Stage {
    /// For example `student.3`, `features.teacher.train`.
    let name: String
    /// The stages whose files it reads.
    let inputs: [String]
    /// The inputs that determine its output. The others contain only what follows from `decisive` and these anyway.
    let decisiveInputs: [String]
    /// The files it makes, by their names in the run's folder. A name that ends in `/` means the whole contents of that
    /// folder.
    let outputs: [String]
    /// Everything that determines its output besides earlier stages: options, and the identity of data and weights.
    let decisive: [String]
    /// The inputs from outside the run, which may change while the stage is executed.
    let sources: Set<Source>
    /// For a training epoch: the number of epochs of its schedule if it is executed now.
    let schedule: Int?

    /// - Parameter others: further stages whose files it reads, but which do not determine its output.
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

    /// The hash of everything that determines the stage's output.
    ///
    /// - Parameters:
    ///   - inputs: the fingerprints of its decisive input stages.
    ///   - schedule: the number of epochs of its schedule.
    func fingerprint(inputs: [String], schedule: Int?) -> String {
        // The number of an epoch is not included: it follows from the chain of fingerprints.
        XXH64.of(decisive + ["after"] + inputs + ["over", schedule.map { "\($0)" } ?? ""])
    }
}

/// The stages of a run, each after those it needs.
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

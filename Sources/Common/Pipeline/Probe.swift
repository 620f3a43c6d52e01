/// PROBE: evaluation of the students during training, by k-NN or, without labels, by their neighbours. It shows early
/// whether a run is worth its time.
struct Probe {
    static let setting = "PROBE"

    /// An epoch of a student that is evaluated during training.
    struct Point {
        /// The stage that evaluates it, and the stage that makes its network.
        let stage, network: String
    }

    /// The interval in epochs.
    let every: Int

    /// The epochs after which a student is evaluated, of `all`. The last epoch is not included, because it is always
    /// evaluated.
    func epochs(of all: Int) -> [Int] { Array(stride(from: every, to: all, by: every)) }

    static func point(_ student: Student, _ epoch: Int, _ judgement: Judgement) -> Point {
        Point(stage: "evaluation.\(student.name).\(epoch).\(judgement.quickest)", network: "\(student.name).\(epoch)")
    }
}

extension RunSettings {
    /// Nil if students are evaluated only at the end.
    var probe: Probe? { count(Probe.setting).map { Probe(every: $0) } }
}

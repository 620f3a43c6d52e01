/// PROBE: judging the students along the way, by k-NN or without labels by their neighbours, so that one sees early whether a run is worth its time.
struct Probe {
    static let setting = "PROBE"

    /// An epoch of a student that is judged along the way.
    struct Point {
        /// The stage that judges it, and the one that it comes from.
        let stage, network: String
    }

    /// After so many epochs, again and again.
    let every: Int

    /// The epochs of `all` after which a student is judged; at the end it is anyway.
    func epochs(of all: Int) -> [Int] { Array(stride(from: every, to: all, by: every)) }

    static func point(_ student: Student, _ epoch: Int, _ judgement: Judgement) -> Point {
        Point(stage: "evaluation.\(student.name).\(epoch).\(judgement.quickest)", network: "\(student.name).\(epoch)")
    }
}

extension RunSettings {
    /// Nil where students are judged at the end alone.
    var probe: Probe? { count(Probe.setting).map { Probe(every: $0) } }
}

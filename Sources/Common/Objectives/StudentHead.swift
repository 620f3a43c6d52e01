/// The default initial head of a method's student.
public enum StudentHead: Sendable, Equatable {
    /// The head of MoCo-v2 and SEED: linear d, relu, linear D.
    case mlp
    /// The head of a paper, by name.
    case named(String)
    /// The head of a paper, as wide as the teacher's rows of any kind.
    case namedAsTeacher(String)
    /// A linear layer as wide as the teacher's rows.
    case linear
    /// A linear layer for the classes of the data: the method trains a classifier.
    case classifier
    /// No head: the method learns from the pooled features.
    case none

    /// Whether the output width can be requested.
    public var takesWidth: Bool {
        switch self {
        case .mlp, .named: true
        case .namedAsTeacher, .linear, .classifier, .none: false
        }
    }
}

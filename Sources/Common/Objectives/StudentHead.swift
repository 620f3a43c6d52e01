/// The head that a method's student begins with, where nobody says another.
public enum StudentHead: Sendable, Equatable {
    /// MoCo-v2's and SEED's: linear d, relu, linear D.
    case mlp
    /// A paper's, by its name.
    case named(String)
    /// The same, as wide as the teacher's rows, whatever these are.
    case namedAsTeacher(String)
    /// A linear layer as wide as the teacher's rows.
    case linear
    /// A linear layer for the classes of the data: what the method trains is a classifier.
    case classifier
    /// None: the method learns from the pooled features.
    case none

    /// Whether how many numbers it gives may be asked for.
    public var takesWidth: Bool {
        switch self {
        case .mlp, .named: true
        case .namedAsTeacher, .linear, .classifier, .none: false
        }
    }
}

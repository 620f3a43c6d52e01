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
}

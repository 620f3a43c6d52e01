/// An input that the user supplies, identified by its link in the run's folder.
enum Source: String, CaseIterable {
    case train, test, teacher
    /// The initial weights of the student.
    case from

    /// The link to the input. A teacher program has none.
    var link: String {
        switch self {
        case .train: "data/train"
        case .test: "data/test"
        case .teacher: "teacher.safetensors"
        case .from: "from.safetensors"
        }
    }

    /// The list of its files as plan saw them (``FileList``).
    var list: String { "data/\(rawValue).files" }
}

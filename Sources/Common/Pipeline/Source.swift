/// What a person gives a run, by its link in the run's folder.
enum Source: String, CaseIterable {
    case train, test, teacher
    /// What the student begins with.
    case from

    /// The link to it; where the teacher is a program there is none.
    var link: String {
        switch self {
        case .train: "data/train"
        case .test: "data/test"
        case .teacher: "teacher.safetensors"
        case .from: "from.safetensors"
        }
    }

    /// The list of its files as plan saw them, a ``FileList``.
    var list: String { "data/\(rawValue).files" }
}

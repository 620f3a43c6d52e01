/// What a person gives a run, by its link in the run's folder.
enum Source: String, CaseIterable {
    case train, test, teacher

    /// The link to it; where the teacher is a program there is none.
    var link: String {
        switch self {
        case .train: "data/train"
        case .test: "data/test"
        case .teacher: "teacher.safetensors"
        }
    }

    /// The list of its files as plan saw them, a ``FileList``.
    var list: String { "data/\(rawValue).files" }
}

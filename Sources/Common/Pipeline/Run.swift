import Objectives

/// A run in terms of stages: what its settings and its data make of it.
struct Run {
    let settings: RunSettings
    /// What a person gave, as hashes.
    struct Given {
        /// DATA's images and labels; nil where images are drawn.
        var data: String?
        /// The images that are judged by, likewise.
        var test: String?
        /// The teacher that is given; nil where one is trained or there is none.
        var teacher: String?
        /// What the student begins with; nil for random numbers.
        var from: String?
        /// The list of LABELS; nil where there is none.
        var labels: String?
    }

    private var data: String? { given.data }
    private var test: String? { given.test }
    private var teacher: String? { given.teacher }
    private let given: Given
    /// Numbers in an embedding.
    let embedding: Int
    /// Numbers in the rows that the student learns from; nil where no teacher is.
    let teacherRows: Int?
    /// Classes of the images that are learnt from.
    let classes: Int
    let judgement: Judgement
    /// The files of options, by name: a line is an argument.
    let options: [String: [String]]
    /// All stages, each behind those it needs.
    private(set) var stages = StageList()

    init(_ options: StageOptions, _ given: Given) {
        settings = options.settings
        (embedding, teacherRows, classes, judgement) = (options.embedding, options.teacherRows, options.classes, options.judgement)
        self.options = options.files
        self.given = given
        addNetworks()
        if isJudged { addEvaluation() }
    }

    var epochs: Int { settings.number("EPOCHS") }
    var teacherEpochs: Int { settings.number("TEACHER_EPOCHS") }
    var isJudged: Bool { if case .none = judgement { false } else { true } }
    /// The networks that are judged, by the names of their files.
    private var subjects: [String] { (settings.teacherOrigin == .none ? [] : ["teacher"]) + ["student.0", "student.\(epochs)"] }
    /// What a network's head is judged by: what is no classifier as an embedding.
    var judgedHead: String { settings.method.trainsClassifier ? "classifier" : "embedding" }
    private var protocols: [String] { ["knn", "linear", judgedHead] }

    /// Options that change no byte of what a stage makes.
    private static let indifferent: Set<String> = ["--recompute"]
    private func words(_ names: String...) -> [String] {
        let words = names.flatMap { [$0] + (options[$0] ?? []).filter { !Run.indifferent.contains($0) } }
        // The list's name is always the same.
        return words + (words.contains(LabelChoice.file) ? [given.labels ?? ""] : [])
    }
    private var images: [String] { settings.isDemonstration ? ["pictures"] : [] }
    private var dataWords: [String] { ["data", data ?? ""] }
    private var teacherWords: [String] { teacher.map { ["teacher", $0] } ?? [] }
    /// The stage that the trained teacher comes from.
    private var teachers: [String] { settings.trainsTeacher ? ["teacher.\(teacherEpochs)"] : [] }
    /// Drawn images are a stage's, and no source that anybody else changes.
    private func sources(_ sources: Source...) -> Set<Source> {
        Set(sources).subtracting((teacher == nil ? [.teacher] : []) + (given.from == nil ? [.from] : []) + (settings.isDemonstration ? [.train, .test] : []))
    }

    private mutating func addNetworks() {
        if settings.isDemonstration { stages.add(Stage("pictures", makes: ["pictures/"], from: ["synthesize"] + words("pictures"))) }
        // The student first: what is wrong with it should not be found out after hours of the teacher.
        let begun = given.from.map { ["from", $0] } ?? []
        stages.add(Stage("student.0", makes: ["student.0.safetensors"], from: ["initialize"] + words("student.begin") + begun, reads: sources(.from)))
        if settings.trainsTeacher {
            stages.add(Stage("teacher.0", makes: ["teacher.0.safetensors"], from: ["initialize"] + words("teacher.begin")))
            let decisive = words("teacher.augment", "teacher.train") + dataWords
            for n in 1...teacherEpochs {
                stages.add(
                    Stage(
                        "teacher.\(n)", after: ["teacher.\(n - 1)"] + images, makes: ["teacher.\(n).safetensors"], from: decisive, reads: sources(.train),
                        schedule: teacherEpochs))
            }
        }
        let bags = settings.hasBags ? ["bags"] : []
        if settings.hasBags {
            stages.add(
                Stage(
                    "bags", after: teachers + images, makes: ["bags.safetensors"], from: words("bags.augment") + dataWords + teacherWords, reads: sources(.train, .teacher)))
        }
        let decisive = words("student.augment", "student.train") + dataWords + teacherWords
        for n in 1...epochs {
            stages.add(
                Stage(
                    "student.\(n)", after: ["student.\(n - 1)"] + teachers + images + bags, makes: ["student.\(n).safetensors"], from: decisive,
                    reads: sources(.train, .teacher), schedule: epochs))
        }
        stages.add(Stage("student", after: ["student.\(epochs)"], makes: ["student.safetensors"], from: ["convert-weights"]))
        for export in settings.exports { stages.add(Stage(export.stage, after: ["student"], makes: [export.file], from: ["convert-weights", export.rawValue])) }
    }

    private mutating func addEvaluation() {
        for subject in subjects {
            let isTeacher = subject == "teacher", weights = isTeacher ? teachers : [subject]
            for (part, link) in [("train", judgement.train.link), ("test", judgement.test.link)] {
                let isData = link == Source.train.link, own: Source = isData ? .train : .test
                stages.add(
                    Stage(
                        "features.\(subject).\(part)", after: weights + images, makes: ["features/\(subject).\(part).tensors.zst"],
                        from: words("features.\(part)") + dataWords + (isData ? [] : [test ?? ""]) + (isTeacher ? teacherWords : [])
                            + (settings.method.trainsClassifier ? [judgedHead] : []),
                        reads: isTeacher ? sources(own, .teacher) : sources(own)))
            }
            for name in protocols {
                stages.add(
                    Stage(
                        "evaluation.\(subject).\(name)", after: ["train", "test"].map { "features.\(subject).\($0)" },
                        makes: ["evaluation/\(subject).\(name).json"], from: [name]))
            }
        }
        let evaluations = subjects.flatMap { subject in protocols.map { "evaluation.\(subject).\($0)" } }
        stages.add(Stage("table", after: evaluations + ["student"], makes: ["table.txt", "table.json"], from: ["evaluate table"]))
    }

    /// The stages whose files a person wants at the end.
    var goals: [String] { ["student.\(epochs)", "student"] + settings.exports.map(\.stage) + (isJudged ? ["table"] : []) }
}

import Objectives

/// A run as a list of stages, derived from its settings and data.
struct Run {
    let settings: RunSettings
    /// The user's inputs, as hashes.
    struct Given {
        /// DATA's images and labels; nil if images are synthetic.
        var data: String?
        /// The test images and their labels; nil if there are none.
        var test: String?
        /// The given teachers, or the teacher program; empty if a teacher is trained.
        var teachers: [String]
        /// The student's initial weights; nil if they are random.
        var from: String?
        /// The list of LABELS; nil if there is none.
        var labels: String?
    }

    private var data: String? { given.data }
    private var test: String? { given.test }
    private let given: Given
    /// The embedding width.
    let embedding: Int
    /// The width of the rows that the students learn from; nil without a teacher.
    let teacherRows: Int?
    /// The number of classes of the training images.
    let classes: Int
    let judgement: Judgement
    /// The option files by name; each line is an argument.
    let options: [String: [String]]
    /// All stages, each after those it needs.
    private(set) var stages = StageList()

    init(_ options: StageOptions, _ given: Given) {
        settings = options.settings
        (embedding, teacherRows, classes, judgement) = (options.embedding, options.teacherRows, options.classes, options.judgement)
        self.options = options.files
        self.given = given
        addNetworks()
        addEvaluation()
    }

    var students: [Student] { settings.students }
    var epochs: Int { settings.number("EPOCHS") }
    var teacherEpochs: Int { settings.number("TEACHER_EPOCHS") }
    /// The teachers, and the students before and after training, by the base names of their files.
    private var subjects: [String] { settings.teacherNames + students.flatMap { ["\($0.name).0", "\($0.name).\(epochs)"] } }
    /// The protocol for a network's head: anything but a classifier is evaluated as an embedding.
    var judgedHead: String { settings.method.trainsClassifier ? "classifier" : "embedding" }
    var protocols: [String] { judgement.protocols + (judgement.isByLabels ? [judgedHead] : []) }

    /// Options that do not change a stage's output.
    private static let indifferent: Set<String> = ["--recompute", "--allow-mixed"]
    /// Such options that have a value.
    private static let indifferentValues: Set<String> = ["--rank-timeout"]
    private static func decisive(_ words: [String]) -> [String] {
        words.indices.filter { place in
            !indifferent.contains(words[place]) && !indifferentValues.contains(words[place]) && (place == 0 || !indifferentValues.contains(words[place - 1]))
        }.map { words[$0] }
    }
    private func words(_ names: String...) -> [String] {
        var words = names.flatMap { [$0] + Run.decisive(options[$0] ?? []) }
        words += RecipeFiles.named(in: words).flatMap { [$0] + (options[$0] ?? []) }
        // The list's file name is always the same, so add its hash.
        return words + (words.contains(LabelChoice.file) ? [given.labels ?? ""] : [])
    }
    private var images: [String] { settings.isDemonstration ? ["pictures"] : [] }
    private var dataWords: [String] { ["data", data ?? ""] }
    /// The combined identity of the teachers; nil if a teacher is trained or there is none.
    var teacherIdentity: String? { given.teachers.isEmpty ? nil : GivenTeacher.identity(given.teachers) }
    var teacherWords: [String] { teacherIdentity.map { ["teacher", $0] } ?? [] }
    /// The identity of the teacher with this name.
    private func teacherWords(_ name: String) -> [String] {
        settings.teacherNames.firstIndex(of: name).flatMap { given.teachers.indices.contains($0) ? ["teacher", given.teachers[$0]] : nil } ?? []
    }
    /// The stage that makes the trained teacher.
    private var teachers: [String] { settings.trainsTeacher ? ["teacher.\(teacherEpochs)"] : [] }
    /// Synthetic images are made by a stage, so they are not a source that may change.
    private func sources(_ sources: Source...) -> Set<Source> {
        Set(sources).subtracting((given.teachers.isEmpty ? [.teacher] : []) + (given.from == nil ? [.from] : []) + (settings.isDemonstration ? [.train, .test] : []))
    }

    private mutating func addNetworks() {
        if settings.isDemonstration { stages.add(Stage("pictures", makes: ["pictures/"], from: ["synthesize"] + words("pictures"))) }
        // The student comes first, so that its errors do not appear only after hours of training the teacher.
        let begun = given.from.map { ["from", $0] } ?? []
        for student in students {
            // The student's name and the other students must not affect its fingerprint.
            stages.add(
                Stage(
                    "\(student.name).0", makes: ["\(student.name).0.safetensors"], from: ["initialize", "student.begin"] + (options["\(student.name).begin"] ?? []) + begun,
                    reads: sources(.from)))
        }
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
        addBags()
        addStore()
        for student in students { add(student) }
    }

    /// The stage that groups similar images into bags, if the method learns from bags.
    private var bags: [String] { settings.hasBags ? ["bags"] : [] }

    private mutating func addBags() {
        guard settings.hasBags else { return }
        stages.add(
            Stage("bags", after: teachers + images, makes: ["bags.safetensors"], from: words("bags.augment") + dataWords + teacherWords, reads: sources(.train, .teacher)))
    }

    /// Adds the stages of the stored teacher rows. They depend on the views and the teacher only, not on the students.
    private mutating func addStore() {
        guard let store = settings.store else { return }
        let decisive = words("student.augment", "teacher.rows") + dataWords + teacherWords + store.precision
        for n in 1...store.epochs {
            stages.add(
                Stage(Store.stage(n), after: teachers + images + bags, makes: [Store.file(n)], from: decisive + ["epoch", "\(n)"], reads: sources(.train, .teacher)))
        }
    }

    private mutating func add(_ student: Student) {
        let name = student.name, store = settings.store, decisive = words("student.augment", "student.train") + dataWords + teacherWords + (settings.takesBatchStatistics ? ["teacher by batch"] : [])
        for n in 1...epochs {
            stages.add(
                Stage(
                    "\(name).\(n)", after: ["\(name).\(n - 1)"] + teachers + images + bags, beside: store.map { [Store.stage($0.number(of: n))] } ?? [],
                    makes: ["\(name).\(n).safetensors"], from: decisive + (store?.decisive(n) ?? []),
                    reads: store == nil ? sources(.train, .teacher) : sources(.train), schedule: epochs))
        }
        stages.add(Stage(name, after: ["\(name).\(epochs)"], makes: ["\(name).safetensors"], from: ["convert-weights"]))
        for export in settings.exports { stages.add(Stage(export.stage(student), after: [name], makes: [export.file(student)], from: ["convert-weights", export.rawValue])) }
    }

    /// The epochs of the students that are evaluated during training.
    var probes: [Probe.Point] {
        guard let probe = settings.probe else { return [] }
        return students.flatMap { student in probe.epochs(of: epochs).map { Probe.point(student, $0, judgement) } }
    }

    private mutating func addEvaluation() {
        for subject in subjects { judge(subject, by: protocols) }
        for probe in probes { judge(probe.network, by: [judgement.quickest]) }
        let evaluations = subjects.flatMap { subject in protocols.map { "evaluation.\(subject).\($0)" } }
        // The table shows the probes that exist. An epoch whose checkpoint is gone is not trained again for it.
        let along = settings.probe.map { ["probe", "\($0.every)"] } ?? []
        stages.add(Stage("table", after: evaluations + students.map(\.name), makes: ["table.txt", "table.json"], from: ["evaluate table"] + along))
        // The report shows images of the data and the contents of the table, logs and features.
        stages.add(Stage("report", after: ["table"], makes: ["report.html"] + (settings["TENSORBOARD"].isEmpty ? [] : ["tensorboard/"]), from: words("report", "report.augment") + dataWords, reads: sources(.train, .test)))
    }

    /// The feature stages for the evaluation of a network. Without labels they include the teacher's, whose neighbours
    /// are compared.
    private func judgedFeatures(_ subject: String) -> [String] {
        let subjects = judgement.isByLabels || subject == "teacher" || settings.teacherOrigin == .none ? [subject] : [subject, "teacher"]
        return subjects.flatMap { subject in judgement.parts.map { "features.\(subject).\($0)" } }
    }

    /// Adds the features and evaluations of a network.
    private mutating func judge(_ subject: String, by protocols: [String]) {
        let isTeacher = settings.teacherNames.contains(subject), weights = isTeacher ? teachers : [subject]
        for part in judgement.parts {
            let link = part == "train" ? judgement.train.link : judgement.test.link, isData = link == Source.train.link, own: Source = isData ? .train : .test
            stages.add(
                Stage(
                    "features.\(subject).\(part)", after: weights + images, makes: ["features/\(subject).\(part).tensors.zst"],
                    from: words("features.\(part)") + dataWords + (isData ? [] : [test ?? ""]) + teacherWords(subject)
                        + (settings.method.trainsClassifier ? [judgedHead] : []),
                    reads: isTeacher ? sources(own, .teacher) : sources(own)))
        }
        for name in protocols {
            stages.add(
                Stage(
                    "evaluation.\(subject).\(name)", after: judgedFeatures(subject),
                    makes: ["evaluation/\(subject).\(name).json"], from: [name]))
        }
    }

    /// The stages whose files the user wants in the end.
    var goals: [String] {
        students.flatMap { student in ["\(student.name).\(epochs)", student.name] + settings.exports.map { $0.stage(student) } } + ["table", "report"]
    }
}

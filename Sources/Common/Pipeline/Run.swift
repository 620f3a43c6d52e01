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
        /// The teachers that are given, or the program that is one; none where one is trained.
        var teachers: [String]
        /// What the student begins with; nil for random numbers.
        var from: String?
        /// The list of LABELS; nil where there is none.
        var labels: String?
    }

    private var data: String? { given.data }
    private var test: String? { given.test }
    private let given: Given
    /// Numbers in an embedding.
    let embedding: Int
    /// Numbers in the rows that the students learn from; nil where no teacher is.
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
        addEvaluation()
    }

    var students: [Student] { settings.students }
    var epochs: Int { settings.number("EPOCHS") }
    var teacherEpochs: Int { settings.number("TEACHER_EPOCHS") }
    /// The networks that are judged, by the names of their files.
    private var subjects: [String] { settings.teacherNames + students.flatMap { ["\($0.name).0", "\($0.name).\(epochs)"] } }
    /// What a network's head is judged by: what is no classifier as an embedding.
    var judgedHead: String { settings.method.trainsClassifier ? "classifier" : "embedding" }
    var protocols: [String] { judgement.protocols + (judgement.isByLabels ? [judgedHead] : []) }

    /// Options that change no byte of what a stage makes.
    private static let indifferent: Set<String> = ["--recompute", "--allow-mixed"]
    /// The same, each with a value behind it.
    private static let indifferentValues: Set<String> = ["--rank-timeout"]
    private static func decisive(_ words: [String]) -> [String] {
        words.indices.filter { place in
            !indifferent.contains(words[place]) && !indifferentValues.contains(words[place]) && (place == 0 || !indifferentValues.contains(words[place - 1]))
        }.map { words[$0] }
    }
    private func words(_ names: String...) -> [String] {
        var words = names.flatMap { [$0] + Run.decisive(options[$0] ?? []) }
        words += RecipeFiles.named(in: words).flatMap { [$0] + (options[$0] ?? []) }
        // The list's name is always the same.
        return words + (words.contains(LabelChoice.file) ? [given.labels ?? ""] : [])
    }
    private var images: [String] { settings.isDemonstration ? ["pictures"] : [] }
    private var dataWords: [String] { ["data", data ?? ""] }
    /// What the teachers are, all together; nil where one is trained or there is none.
    var teacherIdentity: String? { given.teachers.isEmpty ? nil : GivenTeacher.identity(given.teachers) }
    var teacherWords: [String] { teacherIdentity.map { ["teacher", $0] } ?? [] }
    /// Of that teacher alone.
    private func teacherWords(_ name: String) -> [String] {
        settings.teacherNames.firstIndex(of: name).flatMap { given.teachers.indices.contains($0) ? ["teacher", given.teachers[$0]] : nil } ?? []
    }
    /// The stage that the trained teacher comes from.
    private var teachers: [String] { settings.trainsTeacher ? ["teacher.\(teacherEpochs)"] : [] }
    /// Drawn images are a stage's, and no source that anybody else changes.
    private func sources(_ sources: Source...) -> Set<Source> {
        Set(sources).subtracting((given.teachers.isEmpty ? [.teacher] : []) + (given.from == nil ? [.from] : []) + (settings.isDemonstration ? [.train, .test] : []))
    }

    private mutating func addNetworks() {
        if settings.isDemonstration { stages.add(Stage("pictures", makes: ["pictures/"], from: ["synthesize"] + words("pictures"))) }
        // The student first: what is wrong with it should not be found out after hours of the teacher.
        let begun = given.from.map { ["from", $0] } ?? []
        for student in students {
            // Whatever a student is called, and whoever learns beside it, it is the one that it would be alone.
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

    /// The stage that finds images that are near to each other, where the method draws from them.
    private var bags: [String] { settings.hasBags ? ["bags"] : [] }

    private mutating func addBags() {
        guard settings.hasBags else { return }
        stages.add(
            Stage("bags", after: teachers + images, makes: ["bags.safetensors"], from: words("bags.augment") + dataWords + teacherWords, reads: sources(.train, .teacher)))
    }

    /// The teacher's rows that are kept: of views and a teacher, whoever learns from them.
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

    /// The epochs of the students that are judged along the way.
    var probes: [Probe.Point] {
        guard let probe = settings.probe else { return [] }
        return students.flatMap { student in probe.epochs(of: epochs).map { Probe.point(student, $0, judgement) } }
    }

    private mutating func addEvaluation() {
        for subject in subjects { judge(subject, by: protocols) }
        for probe in probes { judge(probe.network, by: [judgement.quickest]) }
        let evaluations = subjects.flatMap { subject in protocols.map { "evaluation.\(subject).\($0)" } }
        // Of probes it tells what there is: an epoch whose checkpoint is gone is not trained anew for it.
        let along = settings.probe.map { ["probe", "\($0.every)"] } ?? []
        stages.add(Stage("table", after: evaluations + students.map(\.name), makes: ["table.txt", "table.json"], from: ["evaluate table"] + along))
        // It shows the data's images, and what the table, the logs and the features say.
        stages.add(Stage("report", after: ["table"], makes: ["report.html"] + (settings["TENSORBOARD"].isEmpty ? [] : ["tensorboard/"]), from: words("report", "report.augment") + dataWords, reads: sources(.train, .test)))
    }

    /// The stages of the features that a network is judged by; without labels the teacher's too, whose neighbours are compared with its.
    private func judgedFeatures(_ subject: String) -> [String] {
        let subjects = judgement.isByLabels || subject == "teacher" || settings.teacherOrigin == .none ? [subject] : [subject, "teacher"]
        return subjects.flatMap { subject in judgement.parts.map { "features.\(subject).\($0)" } }
    }

    /// The features of a network, and what they are worth.
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

    /// The stages whose files a person wants at the end.
    var goals: [String] {
        students.flatMap { student in ["\(student.name).\(epochs)", student.name] + settings.exports.map { $0.stage(student) } } + ["table", "report"]
    }
}

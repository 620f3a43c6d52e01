import TensorStreams

/// A run in terms of stages: what its settings and its data make of it.
///
/// Everything that a person typed ends here, in files of options, in which a line is an argument, and in links of fixed names. So make and the shell see
/// `augment --data data/train @options/student.augment` and nothing else.
struct Run {
    let settings: RunSettings
    /// What DATA is, as a hash of its pictures and labels; nil where pictures are drawn.
    let data: String?
    /// What the pictures are that are judged by, likewise.
    let test: String?
    /// The split of DATA that is learnt from, and the one it is judged by, where DATA has splits.
    let splits: (train: String?, test: String?)
    /// The hash of TEACHER; nil where one is trained.
    let teacher: String?
    /// Numbers in an embedding.
    let embedding: Int
    let judgement: Judgement

    var epochs: Int { settings.number("EPOCHS") }
    var teacherEpochs: Int { settings.number("TEACHER_EPOCHS") }
    var isJudged: Bool { if case .none = judgement { false } else { true } }
    /// The networks that are judged, by the names of their files.
    var subjects: [String] { ["teacher", "student.0", "student.\(epochs)"] }
    static let protocols = ["knn", "linear", "embedding"]

    private var views: [String] { ["--size", settings["SIZE"], "--seed", settings["SEED"], "--drop-last"] + settings.words("FLAGS") }
    private func split(_ name: String?) -> [String] { name.map { ["--split", $0] } ?? [] }
    /// A teacher that is given labels must not see those it is judged by.
    private var taught: [String] {
        settings["TEACHER_OBJECTIVE"] == "supervised-contrastive" && judgement == .halvesOfData ? judgement.train.options : []
    }
    private var plain: [String] { ["--recipe", "evaluation", "--size", settings["SIZE"], "--batch", "256"] + settings.words("FLAGS") }

    /// The files of options, by name: a line is an argument.
    var options: [String: [String]] {
        let train = split(splits.train), judged = judgement.train, judging = judgement.test
        func chosen(_ link: String) -> [String] {
            // A folder of TEST that is named for a class of DATA is one, even alone.
            link == "data/train" ? train : split(splits.test) + (judgement == .testByData && !settings.isDemonstration ? ["--class-list", "data/classes"] : [])
        }
        var options = [
            "threads": settings.count("THREADS").map { ["--threads", "\($0)"] } ?? [],
            "student.begin": ["--network", settings["STUDENT"], "--embedding", "\(embedding)", "--seed", settings["SEED"]],
            "student.augment": train + views + ["--batch", settings["BATCH"]],
            "student.train": (settings.count("QUEUE").map { ["--queue-size", "\($0)"] } ?? []) + settings.words("STUDENT_OPTIONS") + ["--seed", settings["SEED"]],
            "features.train": ["--data", judged.link] + chosen(judged.link) + plain + judged.options,
            "features.test": ["--data", judging.link] + chosen(judging.link) + plain + judging.options,
        ]
        if teacher == nil {
            options["teacher.begin"] = ["--network", settings["TEACHER_NETWORK"], "--embedding", "\(embedding)", "--seed", settings["SEED"]]
            options["teacher.augment"] = train + views + taught + ["--views", "2", "--batch", settings["TEACHER_BATCH"]]
            options["teacher.train"] =
                ["--objective", settings["TEACHER_OBJECTIVE"]] + settings.words("TEACHER_OPTIONS") + ["--seed", settings["SEED"]]
        }
        if settings.isDemonstration { options["pictures"] = settings.words("SYNTHESIZE_OPTIONS") + ["--seed", settings["SEED"]] }
        return options
    }

    /// All stages, each behind those it needs.
    var stages: StageList {
        let options = options
        func words(_ names: String...) -> [String] { names.flatMap { [$0] + (options[$0] ?? []) } }
        var list = StageList()
        let pictures = settings.isDemonstration ? ["pictures"] : []
        let dataWords = ["data", data ?? ""]
        if settings.isDemonstration {
            list.add(Stage("pictures", makes: ["pictures/"], from: ["synthesize"] + words("pictures")))
        }
        list.add(Stage("student.0", makes: ["student.0.safetensors"], from: ["initialize"] + words("student.begin")))
        var last = (teacher: "", student: "student.0")
        var teacherWords: [String] = []
        if let teacher {
            teacherWords = ["teacher", teacher]
        } else {
            // The student first: what is wrong with it should not be found out after hours of the teacher.
            list.add(Stage("teacher.0", makes: ["teacher.0.safetensors"], from: ["initialize"] + words("teacher.begin")))
            last.teacher = "teacher.0"
            for n in 1...teacherEpochs {
                list.add(
                    Stage(
                        "teacher.\(n)", after: [last.teacher] + pictures, makes: ["teacher.\(n).safetensors"],
                        from: words("teacher.augment", "teacher.train") + dataWords, schedule: teacherEpochs))
                last.teacher = "teacher.\(n)"
            }
        }
        let teachers = teacher == nil ? [last.teacher] : []
        for n in 1...epochs {
            list.add(
                Stage(
                    "student.\(n)", after: [last.student] + teachers + pictures, makes: ["student.\(n).safetensors"],
                    from: words("student.augment", "student.train") + dataWords + teacherWords, schedule: epochs))
            last.student = "student.\(n)"
        }
        list.add(Stage("student", after: [last.student], makes: ["student.safetensors"], from: ["convert-weights"]))
        guard isJudged else { return list }
        for subject in subjects {
            let weights = subject == "teacher" ? teachers : [subject]
            for (part, link) in [("train", judgement.train.link), ("test", judgement.test.link)] {
                list.add(
                    Stage(
                        "features.\(subject).\(part)", after: weights + pictures, makes: ["features/\(subject).\(part).tensors.zst"],
                        from: words("features.\(part)") + (link == "data/train" ? dataWords : dataWords + [test ?? ""]) + (subject == "teacher" ? teacherWords : [])))
            }
            for name in Run.protocols {
                list.add(
                    Stage(
                        "evaluation.\(subject).\(name)", after: ["train", "test"].map { "features.\(subject).\($0)" },
                        makes: ["evaluation/\(subject).\(name).json"], from: [name]))
            }
        }
        let evaluations = subjects.flatMap { subject in Run.protocols.map { "evaluation.\(subject).\($0)" } }
        list.add(Stage("table", after: evaluations + ["student"], makes: ["table.txt", "table.json"], from: ["evaluate table"]))
        return list
    }

    /// The stages whose files a person wants at the end.
    var goals: [String] { ["student.\(epochs)", "student"] + (isJudged ? ["table"] : []) }
}

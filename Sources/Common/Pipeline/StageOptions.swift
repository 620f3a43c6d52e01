import Objectives

/// The options that a run's stages get: files of options, in which a line is an argument.
///
/// Everything that a person typed ends here, and in links of fixed names. So make and the shell see
/// `augment --data data/train @options/student.augment` and nothing else.
struct StageOptions {
    let settings: RunSettings
    /// The split of DATA that is learnt from, and the one it is judged by, where DATA has splits.
    let splits: (train: String?, test: String?)
    /// Numbers in the rows that the student learns from; nil where no teacher is.
    let teacherRows: Int?
    /// Numbers in an embedding.
    let embedding: Int
    /// Classes of the images that are learnt from.
    let classes: Int
    /// Which labels are learnt from.
    let labels: LabelChoice
    let judgement: Judgement
    let recipes: RecipeFiles

    /// How views are made for a method: what its paper recommends, and what FLAGS say.
    ///
    /// - Parameter fromBags: whether a method that learns from bags of images has them.
    private func views(_ method: any Objective.Type, _ crops: Crops, passes: [String] = ["--drop-last"], fromBags: Bool = true) -> [String] {
        let recipe = method.defaults.map { ["--recipe", $0.recipe] } ?? [], share = method.defaults.map { ["--crop-scale", "\($0.smallestCrop),1"] } ?? []
        let views = method.inputs.views.lowerBound, common = ["--seed", settings["SEED"]] + passes, flags = settings.words("FLAGS") + chosen(method)
        let isMixed = method.inputs.isMixed && !flags.contains("--mix-up") ? ["--mix-up"] : []
        if let text = crops.text { return ["--crops", recipes.placed(text)] + common + recipe + flags + isMixed }
        let made = method.inputs.bags ? (fromBags ? ["--bags", "bags.safetensors"] : []) : views > 1 ? ["--views", "\(views)"] : []
        return ["--size", settings["SIZE"]] + common + recipe + share + flags + made + isMixed
    }
    /// What a network begins with that learns by a method.
    ///
    /// - Parameters:
    ///   - network: its name.
    ///   - isStudent: whether it begins with FROM, where that is given.
    private func begin(_ network: String, _ method: any Objective.Type, isStudent: Bool = false) -> [String] {
        let head = switch method.head {
        case .mlp: ["--embedding", "\(embedding)"]
        // As wide as the teacher's where that is compared with.
        case .named(let name):
            ["--head", name] + ((method.inputs.teacher?.isEmbedding == true ? embedding : settings.count("EMBEDDING")).map { ["--embedding", "\($0)"] } ?? [])
        case .namedAsTeacher(let name): ["--head", name, "--embedding", "\(teacherRows ?? embedding)"]
        case .linear: ["--head", "linear \(teacherRows ?? embedding)"]
        case .classifier: ["--classes", "\(classes)"]
        case .none: ["--embedding", "0"]
        }
        let isNew = settings[Beginning.setting].isEmpty || !isStudent
        return (isNew ? ["--network", network] + (method.zeroInitResidual ? ["--zero-init-residual"] : []) : ["--from", Beginning.link]) + head + ["--seed", settings["SEED"]]
    }
    /// How the student's epochs go over the data.
    private var passes: [String] {
        (settings.count("STEPS").map { ["--steps", "\($0)"] } ?? ["--drop-last"]) + (settings["SHUFFLE"] == "all" ? [] : ["--shuffle", settings["SHUFFLE"]])
    }
    private func split(_ name: String?) -> [String] { name.map { ["--split", $0] } ?? [] }
    /// What is given labels must not see those it is judged by, and has no more than LABELS says.
    private func chosen(_ method: any Objective.Type) -> [String] { method.inputs.labels ? (judgement == .halvesOfData ? judgement.train.options : []) + labels.options : [] }
    /// Those who judge by DATA have no more labels either.
    private var judging: [String] { labels == .all || judgement == .halvesOfTest ? [] : labels.options + ["--seed", settings["SEED"]] }
    /// How a network's epochs are asked for; what train-step does by itself is not said.
    private func method(_ name: String) -> [String] { name == SEED.name ? [] : ["--objective", name] }
    /// Several teachers, as train-step is to know them.
    private var named: [String] {
        let letters = settings.givenTeachers.compactMap(\.letter)
        return letters.isEmpty ? [] : ["--teachers", letters.joined(separator: ",")]
    }
    /// How a teacher's network is normalised in the student's epochs.
    private var statistics: [String] { settings.takesBatchStatistics ? ["--batch-statistics"] : [] }
    /// A program that gives the loss has a queue of its own.
    private var queue: [String] {
        guard settings.method.hasQueue, ShellWords.value(of: "--loss", in: settings.words("STUDENT_OPTIONS")) == nil else { return [] }
        return settings.count("QUEUE").map { ["--queue-size", "\($0)"] } ?? []
    }
    /// Images in a record of those that are judged; fewer where they are large, since a record has a limit. Features do not depend on it.
    private var judgedBatch: Int {
        let size = settings.number("SIZE")
        return max(1, min(256, (1 << 30) / max(1, 3 * size * size)))
    }
    private var plain: [String] { ["--recipe", "evaluation", "--size", settings["SIZE"], "--batch", "\(judgedBatch)"] + settings.words("FLAGS") }

    /// The files by name, each with its lines.
    var files: [String: [String]] {
        let train = split(splits.train), judged = judgement.train, judging = judgement.test
        func chosen(_ link: String) -> [String] {
            // A folder of TEST that is named for a class of DATA is one, even alone.
            link == "data/train" ? train : split(splits.test) + (judgement == .testByData && !settings.isDemonstration ? ["--class-list", "data/classes"] : [])
        }
        var files = [
            "threads": settings.count("THREADS").map { ["--threads", "\($0)"] } ?? [],
            "ranks": Launch.rankOptions(settings),
            "interim": settings[Interim.setting].isEmpty ? [] : ["--checkpoint-every", settings[Interim.setting]],
            "student.augment": train + views(settings.method, settings.studentCrops, passes: passes) + ["--batch", settings["BATCH"]],
            "student.train": method(settings["METHOD"]) + named + queue + settings.words("STUDENT_OPTIONS") + Launch.options(settings) + ["--seed", settings["SEED"]],
            "features.train": ["--data", judged.link] + chosen(judged.link) + plain + judged.options + self.judging,
            "features.test": ["--data", judging.link] + chosen(judging.link) + plain + judging.options,
        ]
        files.merge(recipes.files) { $1 }
        files["report"] = settings["TENSORBOARD"].isEmpty ? [] : ["--tensorboard"]
        files["report.augment"] = train + views(settings.method, settings.studentCrops, passes: [], fromBags: false) + ["--limit", "6", "--batch", "6", "--epochs", "6"]
        for student in settings.students { files["\(student.name).begin"] = begin(student.network, settings.method, isStudent: true) }
        // The last of several teachers keeps the rows of those before it.
        if let store = settings.store { files["teacher.store"] = ["--rows"] + (store.isHalf ? ["--half"] : []) + settings.givenTeachers.dropLast().flatMap { ["--keep", $0.rowTensor] } }
        if let output = settings.method.inputs.teacher {
            let isProgram = settings.teacherOrigin == .program, timeout = settings.count("TEACHER_TIMEOUT").map { ["--command-timeout", "\($0)"] } ?? []
            files["teacher.embed"] = isProgram ? ["--command=\(settings[TeacherProgram.setting])"] + timeout : ["--weights", "teacher.safetensors"]
            // A program's rows are all that there is of it.
            files["teacher.rows"] = !isProgram ? settings.studentCrops.embedOptions(output, settings.method) + statistics : output == .embedding ? [] : ["--as", output.tensor]
        }
        for teacher in settings.givenTeachers where teacher.letter != nil {
            files["\(teacher.name).embed"] = ["--weights", teacher.link]
            files["\(teacher.name).rows"] = ["--as", teacher.rowTensor] + statistics
        }
        if settings.hasBags { files["bags.augment"] = train + plain }
        if settings.trainsTeacher {
            files["teacher.begin"] = begin(settings["TEACHER_NETWORK"], settings.teacherMethod)
            files["teacher.augment"] = train + views(settings.teacherMethod, settings.teacherCrops) + ["--batch", settings["TEACHER_BATCH"]]
            files["teacher.train"] = method(settings["TEACHER_OBJECTIVE"]) + settings.words("TEACHER_OPTIONS") + Launch.options(settings) + ["--seed", settings["SEED"]]
        }
        if settings.isDemonstration { files["pictures"] = settings.words("SYNTHESIZE_OPTIONS") + ["--seed", settings["SEED"]] }
        return files
    }
}

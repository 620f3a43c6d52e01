import Objectives

/// The options of a run's stages, as option files with one argument per line.
///
/// All typed values end up in these files, or in links with fixed names. make and the shell therefore see only `augment
/// --data data/train @options/student.augment`.
struct StageOptions {
    let settings: RunSettings
    /// The split of DATA for training, and the split for evaluation, if the data has splits.
    let splits: (train: String?, test: String?)
    /// The width of the rows that the student learns from; nil without a teacher.
    let teacherRows: Int?
    /// The embedding width.
    let embedding: Int
    /// The number of classes of the training images.
    let classes: Int
    /// The labels that are learnt from.
    let labels: LabelChoice
    let judgement: Judgement
    let recipes: RecipeFiles

    /// The options for a method's views: the recommendation of its paper, and FLAGS.
    ///
    /// - Parameter fromBags: whether views come from bags of images, if the method learns from bags.
    private func views(_ method: any Objective.Type, _ crops: Crops, passes: [String] = ["--drop-last"], fromBags: Bool = true) -> [String] {
        let recipe = method.defaults.map { ["--recipe", $0.recipe] } ?? [], share = method.defaults.map { ["--crop-scale", "\($0.smallestCrop),1"] } ?? []
        let views = method.inputs.views.lowerBound, common = ["--seed", settings["SEED"]] + passes, flags = settings.words("FLAGS") + chosen(method)
        let isMixed = method.inputs.isMixed && !flags.contains("--mix-up") ? ["--mix-up"] : []
        if let text = crops.text { return ["--crops", recipes.placed(text)] + common + recipe + flags + isMixed }
        let made = method.inputs.bags ? (fromBags ? ["--bags", "bags.safetensors"] : []) : views > 1 ? ["--views", "\(views)"] : []
        return ["--size", settings["SIZE"]] + common + recipe + share + flags + made + isMixed
    }
    /// The options for the initial weights of a network that is trained by a method.
    ///
    /// - Parameters:
    ///   - network: the name of the network.
    ///   - isStudent: whether the network starts from FROM, if that is given.
    private func begin(_ network: String, _ method: any Objective.Type, isStudent: Bool = false) -> [String] {
        let head = switch method.head {
        case .mlp: ["--embedding", "\(embedding)"]
        // As wide as the teacher's embedding, if the method compares with it.
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
    /// How the student's epochs iterate over the data.
    private var passes: [String] {
        (settings.count("STEPS").map { ["--steps", "\($0)"] } ?? ["--drop-last"]) + (settings["SHUFFLE"] == "all" ? [] : ["--shuffle", settings["SHUFFLE"]])
    }
    private func split(_ name: String?) -> [String] { name.map { ["--split", $0] } ?? [] }
    /// A method with labels must not see the images it is evaluated on, and gets no more labels than LABELS selects.
    private func chosen(_ method: any Objective.Type) -> [String] { method.inputs.labels ? (judgement == .halvesOfData ? judgement.train.options : []) + labels.options : [] }
    /// An evaluation with labels of DATA uses only the selected labels too.
    private var judging: [String] { labels == .all || judgement == .halvesOfTest ? [] : labels.options + ["--seed", settings["SEED"]] }
    /// The option for the method. The default of train-step is omitted.
    private func method(_ name: String) -> [String] { name == SEED.name ? [] : ["--objective", name] }
    /// The names of several teachers for train-step.
    private var named: [String] {
        let letters = settings.givenTeachers.compactMap(\.letter)
        return letters.isEmpty ? [] : ["--teachers", letters.joined(separator: ",")]
    }
    /// How a teacher's network is normalised in the student's epochs.
    private var statistics: [String] { settings.takesBatchStatistics ? ["--batch-statistics"] : [] }
    /// A loss program has its own queue.
    private var queue: [String] {
        guard settings.method.hasQueue, ShellWords.value(of: "--loss", in: settings.words("STUDENT_OPTIONS")) == nil else { return [] }
        return settings.count("QUEUE").map { ["--queue-size", "\($0)"] } ?? []
    }
    /// The number of images in a record for evaluation. It is lower for large images, because the size of a record is
    /// limited. Features do not depend on it.
    private var judgedBatch: Int {
        let size = settings.number("SIZE")
        return max(1, min(256, (1 << 30) / max(1, 3 * size * size)))
    }
    private var plain: [String] { ["--recipe", "evaluation", "--size", settings["SIZE"], "--batch", "\(judgedBatch)"] + settings.words("FLAGS") }

    /// The option files by name, each with its lines.
    var files: [String: [String]] {
        let train = split(splits.train), judged = judgement.train, judging = judgement.test
        func chosen(_ link: String) -> [String] {
            // A TEST folder that is named for a class of DATA is that class, even if it is the only folder.
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
        // The last of several teachers also keeps the rows of those before it.
        if let store = settings.store { files["teacher.store"] = ["--rows"] + (store.isHalf ? ["--half"] : []) + settings.givenTeachers.dropLast().flatMap { ["--keep", $0.rowTensor] } }
        if let output = settings.method.inputs.teacher {
            let isProgram = settings.teacherOrigin == .program, timeout = settings.count("TEACHER_TIMEOUT").map { ["--command-timeout", "\($0)"] } ?? []
            files["teacher.embed"] = isProgram ? ["--command=\(settings[TeacherProgram.setting])"] + timeout : ["--weights", "teacher.safetensors"]
            // A program supplies only its rows.
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

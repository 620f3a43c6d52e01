import Objectives

/// The options that a run's stages get: files of options, in which a line is an argument.
///
/// Everything that a person typed ends here, and in links of fixed names. So make and the shell see
/// `augment --data data/train @options/student.augment` and nothing else.
struct StageOptions {
    let settings: RunSettings
    /// The split of DATA that is learnt from, and the one it is judged by, where DATA has splits.
    let splits: (train: String?, test: String?)
    /// Whether a teacher is given, and none is trained.
    let hasTeacher: Bool
    /// Numbers in an embedding.
    let embedding: Int
    let judgement: Judgement

    private var views: [String] { ["--size", settings["SIZE"], "--seed", settings["SEED"], "--drop-last"] + settings.words("FLAGS") }
    private func split(_ name: String?) -> [String] { name.map { ["--split", $0] } ?? [] }
    /// A teacher that is given labels must not see those it is judged by.
    private var taught: [String] {
        settings.teacherMethod.inputs.labels && judgement == .halvesOfData ? judgement.train.options : []
    }
    /// How a network's epochs are asked for; what train-step does by itself is not said.
    private func method(_ name: String) -> [String] { name == SEED.name ? [] : ["--objective", name] }
    /// A program that gives the loss has a queue of its own.
    private var queue: [String] {
        guard ShellWords.value(of: "--loss", in: settings.words("STUDENT_OPTIONS")) == nil else { return [] }
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
            "student.begin": ["--network", settings["STUDENT"], "--embedding", "\(embedding)", "--seed", settings["SEED"]],
            "student.augment": train + views + ["--batch", settings["BATCH"]],
            "student.train": method(settings["STUDENT_OBJECTIVE"]) + queue + settings.words("STUDENT_OPTIONS") + ["--seed", settings["SEED"]],
            "features.train": ["--data", judged.link] + chosen(judged.link) + plain + judged.options,
            "features.test": ["--data", judging.link] + chosen(judging.link) + plain + judging.options,
        ]
        let command = settings[TeacherProgram.setting]
        files["teacher.embed"] = command.isEmpty ? ["--weights", "teacher.safetensors"]
            : ["--command=\(command)"] + (settings.count("TEACHER_TIMEOUT").map { ["--command-timeout", "\($0)"] } ?? [])
        if !hasTeacher {
            files["teacher.begin"] = ["--network", settings["TEACHER_NETWORK"], "--embedding", "\(embedding)", "--seed", settings["SEED"]]
            files["teacher.augment"] = train + views + taught + ["--views", "\(settings.teacherMethod.inputs.views.lowerBound)", "--batch", settings["TEACHER_BATCH"]]
            files["teacher.train"] = method(settings["TEACHER_OBJECTIVE"]) + settings.words("TEACHER_OPTIONS") + ["--seed", settings["SEED"]]
        }
        if settings.isDemonstration { files["pictures"] = settings.words("SYNTHESIZE_OPTIONS") + ["--seed", settings["SEED"]] }
        return files
    }
}

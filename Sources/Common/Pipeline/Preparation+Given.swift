import Networks
import Objectives
import Platform
import ToolSupport

/// Checks that the typed settings fit together, before any file is opened.
extension Preparation {
    static func checkGiven(_ settings: RunSettings, _ flags: MakeFlags, _ folder: RunFolder) throws {
        for name in ["DATA", "TEST", "TEACHER", Beginning.setting] where flags.value(of: name) == "" && settings.remembered[name, default: ""].isEmpty {
            throw Failure(.usage, "\(name) is empty", remedy: "name a file or folder, or leave \(name) out" + (name == "TEACHER" ? ", or give none to train one" : ""))
        }
        try settings.checkTeachers()
        let images = ["DATA", "TEST"].map { ($0, settings[$0], settings[$0]) }, teachers = settings.givenTeachers.map { ($0.setting, $0.value, $0.file) }
        for (name, value, file) in images + teachers + [(Beginning.setting, settings[Beginning.setting], settings.beginningFile)] {
            // A file that will be fetched does not exist yet.
            if !file.isEmpty, file == value, unsafe access(file, F_OK) != 0 { throw notThere(name, file, settings) }
            if let run = try? RunFolder.resolved(folder.path), let path = try? RunFolder.resolved(file), path == run || path.hasPrefix(run + "/") {
                throw Failure(
                    .usage, "\(name)=\(value) lies in \(folder.path), the run that uses it, which would rebuild it",
                    remedy: "copy it, or give this run another NAME")
            }
        }
        if let before = settings.remembered["DATA"], before.isEmpty != settings["DATA"].isEmpty {
            throw Failure(.usage, "\(folder.path) is a run on \(before.isEmpty ? "drawn images" : before)", remedy: "give this run its own NAME")
        }
        if !settings.isDemonstration, !settings["SYNTHESIZE_OPTIONS"].isEmpty {
            throw Failure(.usage, "SYNTHESIZE_OPTIONS is for drawn images, but DATA=\(settings["DATA"]) is given", remedy: "leave one of them out")
        }
        let command = settings[TeacherProgram.setting]
        if flags.value(of: TeacherProgram.setting) == "", settings.remembered[TeacherProgram.setting, default: ""].isEmpty {
            throw Failure(.usage, "\(TeacherProgram.setting) is empty", remedy: "name a program, or leave it out")
        }
        if flags.value(of: "TEACHER") == FetchedTeacher.none, !command.isEmpty {
            throw Failure(.usage, "TEACHER=none trains a teacher, but \(TeacherProgram.setting)=\(command) is already one", remedy: "clear it with \(TeacherProgram.setting)=")
        }
        if settings.teacherOrigin == .none {
            for name in ["TEACHER", TeacherProgram.setting] where !(flags.value(of: name) ?? "").isEmpty && flags.value(of: name) != FetchedTeacher.none {
                throw Failure(.usage, "\(name) does not apply to METHOD=\(settings["METHOD"]), which learns without a teacher", remedy: "leave one of them out")
            }
        }
        if !command.isEmpty, !settings["TEACHER"].isEmpty {
            throw Failure(
                .usage, "TEACHER=\(settings["TEACHER"]) and \(TeacherProgram.setting)=\(command) are two teachers",
                remedy: settings.remembered["TEACHER", default: ""].isEmpty && settings.remembered[TeacherProgram.setting, default: ""].isEmpty
                    ? "leave one of them out" : "the run remembers one; clear it by giving it with nothing after its =")
        }
        if settings["DATA"].isEmpty, !settings["TEST"].isEmpty {
            throw Failure(.usage, "TEST=\(settings["TEST"]) needs DATA", remedy: "name the images to learn from")
        }
        try settings.checkStudents()
        try settings.checkStore()
        try settings.checkExports()
        try checkOwners(settings)
    }

    /// The failure for a missing file, with the folder in which make looked for a relative path. The user cannot see
    /// this folder: `make -C` changes it, and a run may have been made from another one.
    private static func notThere(_ name: String, _ path: String, _ settings: RunSettings) -> Failure {
        var failure = Failure.errno(.noInput, path: "\(name)=\(path)", "cannot open it")
        let meant = meant(name, path)
        guard !path.hasPrefix("/"), let folder = try? RunFolder.resolved(".") else {
            if !meant.isEmpty { failure.remedy = String(meant.dropLast()) }
            return failure
        }
        failure.remedy = meant + "it was looked for in \(folder), where make runs"
            + (settings.typed.contains(name) ? "" : "; the run remembers the name, so give \(name) again")
        return failure
    }

    /// A hint at what a path that does not exist was meant to be, with a trailing space; empty if nothing is similar.
    private static func meant(_ name: String, _ path: String) -> String {
        let last = path.lastPathPart ?? "", folder = String(path.dropLast(last.count))
        let files = FolderNames.all(in: folder.isEmpty ? "." : folder).filter { !$0.hasPrefix(".") }.sorted()
        let fetched = folder.isEmpty ? FetchedTeacher.names : [], isTeacher = ["TEACHER", GivenTeacher.setting].contains(name), names = name == "TEACHER" ? fetched + (fetched.isEmpty ? [] : [FetchedTeacher.none]) : isTeacher || name == Beginning.setting ? fetched : []
        if let nearest = Nearest.name(to: last, among: names + files, within: 2) { return "did you mean \(name == GivenTeacher.setting ? "" : name + "=")\(folder)\(nearest)? " }
        guard isTeacher, Network.trainable.contains(path) else { return "" }
        if name == GivenTeacher.setting { return "\(path) is a network, but files of weights are expected; " }
        return "\(path) is a network, but a file of its weights is expected: TEACHER=none TEACHER_NETWORK=\(path) trains one; "
    }

    /// Checks that options that make sets by itself are not given, and that FLAGS has only allowed options.
    private static func checkOwners(_ settings: RunSettings) throws {
        let given = ["--student", "--interim", "-o", "--output", "--log", "--epochs", "--timing", "--help", "-h", "--version"]
        for name in ["STUDENT_OPTIONS", "TEACHER_OPTIONS", "SYNTHESIZE_OPTIONS"] {
            for word in settings.words(name) where given.contains(word.parts("=", most: 2)[0]) {
                throw Failure(.usage, "\(name): \(word) cannot be given here", remedy: "leave it out; make passes what the stage needs")
            }
        }
        let ofTraining = ["--seed": "SEED", "--checkpoint-every": Interim.setting, "--rank-timeout": "RANK_TIMEOUT", "--allow-mixed": "ALLOW_MIXED"]
        let own = [
            "STUDENT_OPTIONS": ofTraining.merging(["--objective": "METHOD", "--queue-size": "QUEUE", "--teachers": GivenTeacher.setting]) { $1 },
            "TEACHER_OPTIONS": ofTraining.merging(["--objective": "TEACHER_OBJECTIVE"]) { $1 }, "SYNTHESIZE_OPTIONS": ["--seed": "SEED"],
        ]
        for (name, settingOf) in own.sorted(by: { $0.key < $1.key }) {
            for word in settings.words(name) {
                guard let setting = settingOf[word.parts("=", most: 2)[0]], setting != "QUEUE" || settings.method.hasQueue else { continue }
                throw Failure(.usage, "\(name): \(word) has its own setting", remedy: "give \(setting) instead")
            }
        }
        let flags = ["--allow-bad", "--limit", "--crop-scale", "--level"]
        for word in settings.words("FLAGS") where word.hasPrefix("-") && Int(word) == nil && !flags.contains(word.parts("=", most: 2)[0]) {
            throw Failure(.usage, "FLAGS: \(word) cannot be given here", remedy: "FLAGS takes \(flags.joined(separator: ", "))")
        }
    }

    /// Remarks: which teacher is used by default, what was taken from its file, and settings of the teacher's training
    /// that have no effect.
    func teacherRemarks() -> [String] {
        let unused = settings.trainsTeacher ? [] : FetchedTeacher.training.filter(settings.typed.contains)
        guard settings.teacherOrigin != .none else {
            return unused.isEmpty ? [] : ["\(listed(unused, quote: "")) \(unused.count > 1 ? "have" : "has") no effect, since \(settings["METHOD"]) learns without a teacher"]
        }
        let name = program != nil ? "a program" : settings[settings.method.inputs.hasSeveralTeachers ? GivenTeacher.setting : "TEACHER"]
        let uncounted = program?.definition.uncounted ?? []
        let written = uncounted.isEmpty ? [] : ["\(listed(uncounted, quote: "")) \(uncounted.count > 1 ? "do" : "does") not count as part of the program: it writes \(uncounted.count > 1 ? "them" : "it"), or was tried before \(uncounted.count > 1 ? "they" : "it") existed"]
        let remarks = written + (unused.isEmpty ? [] : ["\(listed(unused, quote: "")) \(unused.count > 1 ? "have" : "has") no effect, since \(teachers.count > 1 ? "teachers are" : "the teacher is") \(name)\(settings.method.inputs.hasSeveralTeachers ? "" : "; TEACHER=none\(program == nil ? "" : " \(TeacherProgram.setting)=") trains one")"])
        guard settings["TEACHER"] == FetchedTeacher.usual, !settings.typed.contains("TEACHER"), !settings.method.inputs.hasSeveralTeachers else {
            return zip(settings.givenTeachers, teachers).compactMap { given, teacher in teacher.coverage.map { "\(given.letter == nil ? "TEACHER" : given.title): \($0)" } } + remarks
        }
        return remarks + [
            "the teacher is \(FetchedTeacher.usual), which others trained on ImageNet with labels (docs/networks.md); TEACHER=none trains one on DATA by \(settings["TEACHER_OBJECTIVE"])"
        ]
    }

    /// Remarks on classes that are assumed to be the same without proof.
    func classifierRemarks() -> [String] {
        let chosen = labels?.remark.map { [$0] } ?? []
        guard settings.method.inputs.teacher == .logits, let teacher = teachers.first else { return chosen }
        guard settings.method.inputs.labels else {
            return chosen + (teacher.network.head.endsInPrototypes ? [] : [
                "TEACHER's head does not end in prototypes, as convert-weights --prototypes adds them: its \(teacher.network.head.dimension ?? 0) numbers are used as their scores anyway"
            ])
        }
        return chosen + (teacher.classes == nil ? ["TEACHER does not name its classes: they are assumed to be those of DATA, in the same order"] : [])
    }

    /// Remarks on options for a network, which replace all of its defaults.
    func optionRemarks(_ pipelines: String) throws -> [String] {
        let given = ["STUDENT_OPTIONS"] + (settings.trainsTeacher ? ["TEACHER_OPTIONS"] : [])
        let hasOwnQueue = ShellWords.value(of: "--loss", in: settings.words("STUDENT_OPTIONS")) != nil && settings.count("QUEUE") != nil
        var remarks = hasOwnQueue ? ["QUEUE has no effect: the program that --loss names has a queue of its own"] : []
        // This is a remark, not an error, because users compare methods by changing one word.
        if settings.typed.contains("QUEUE"), !settings.method.hasQueue { remarks.append("QUEUE does not apply to METHOD=\(settings["METHOD"]), which has none") }
        if settings.typed.contains("EMBEDDING"), !settings.trainsTeacher, !settings.method.head.takesWidth {
            remarks.append("EMBEDDING does not apply to METHOD=\(settings["METHOD"]), where the teacher or the classes set the width of the head")
        }
        return try remarks + given.compactMap { name in
            guard let setting = Setting.named(name) else { return nil }
            let usual = try usual(setting, pipelines)
            func names(_ words: [String]) -> [String] { words.filter { $0.hasPrefix("--") }.map { $0.parts("=", most: 2)[0] } }
            var own = names(settings.words(name))
            // The other option for the rate.
            if own.contains("--learning-rate") { own.append("--base-learning-rate") }
            let left = names(ShellWords.split(usual) ?? []).filter { !own.contains($0) }
            return left.isEmpty ? nil : "\(name) replaces \(usual): without \(left.joined(separator: ", ")) train-step's own defaults apply"
        } + given.compactMap { name in
            guard let setting = Setting.named(name) else { return nil }
            return try rateRemark(setting, usual: usual(setting, pipelines), epochs: name == "STUDENT_OPTIONS" ? run.epochs : run.teacherEpochs)
        }
    }

    /// The options of a network if none are given.
    private func usual(_ setting: Setting, _ pipelines: String) throws -> String {
        try setting.fallback(drawn: settings.isDemonstration, objective: { settings[$0] }, MethodDefaults(pipelines: pipelines))
    }

    /// Checks that a run does not silently replace a run of the same name on other data.
    func checkName() throws {
        guard !settings.typed.contains("NAME"), let before = settings.remembered["DATA"], before != settings["DATA"], let train else { return }
        if Identity(in: folder.path)?.train == train.identity { return }
        let name = folder.path.lastPathPart ?? ""
        throw Failure(
            .usage, "\(folder.path) is a run on \(before), not on \(settings["DATA"])",
            remedy: "give this run its own NAME, or NAME=\(name) to replace it")
    }
}

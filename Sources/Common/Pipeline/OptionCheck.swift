import ToolSupport

/// Lets each tool check its future options by its `--check-options`.
struct OptionCheck {
    private let options: StageOptions
    private let environment: StageEnvironment

    init(_ options: StageOptions, _ environment: StageEnvironment) { (self.options, self.environment) = (options, environment) }

    /// A command of `pipelines/*.mk`.
    private struct Command {
        let tool: String
        let words: [String]
        /// The setting to name if the tool rejects the words.
        let setting: String

        init(_ tool: String, _ words: [String], _ setting: String) { (self.tool, self.words, self.setting) = (tool, words, setting) }
    }

    /// - Throws: ``Failure`` `usage` with the tool's message, after the name of the setting that the options came from.
    func check() throws {
        for command in commands {
            let (status, said) = try ChildProcess.run(["\(environment.tools)/\(command.tool)", "--check-options"] + command.words)
            guard status != 0 else { continue }
            throw Failure(.usage, path: command.setting, said.isEmpty ? "\(command.tool) \(WaitStatus.words(status))" : said)
        }
        let loss = LossCheck(environment)
        try loss.check("STUDENT_OPTIONS", options.settings)
        if options.settings.trainsTeacher { try loss.check("TEACHER_OPTIONS", options.settings) }
    }

    /// The commands that depend on user settings, word for word as in the recipes. They are those of the first epochs,
    /// the student's before the teacher's. File names are those in the run's folder; none of the files is opened.
    private var commands: [Command] {
        let files = options.files, settings = options.settings
        func given(_ name: String) -> [String] { (files[name] ?? []) + (files["threads"] ?? []) }
        func begin(_ network: String, _ setting: String) -> Command {
            Command("initialize", (files["\(network).begin"] ?? []) + ["-o", "\(network).0.safetensors"], setting)
        }
        // The same options as each rank gets.
        let isRanked = !settings[Launch.setting].isEmpty, slice = isRanked ? ["--slice", "auto", "--slice-groups", "\(Launch.groups(settings))"] : []
        func views(_ network: String) -> Command {
            Command(
                "augment", ["--data", "data/train"] + given("\(network).augment") + slice + ["--epoch", "0", "--resume", "\(network).1.interim.safetensors", "--report", "log/\(network).1.images.json", "--quiet"],
                network == "student" && !settings[Crops.setting].isEmpty ? Crops.setting : "FLAGS")
        }
        func epoch(_ network: String, _ epochs: Int, _ setting: String) -> Command {
            Command(
                "train-step",
                ["-"] + given("\(network).train") + (isRanked ? ["--mpi"] + (files["ranks"] ?? []) : []) + (files["interim"] ?? []) + ["--interim", "\(network).1.interim.safetensors", "--epochs", "\(epochs)", "--log", "log/\(network).1.jsonl"]
                    + ["--student", "\(network).0.safetensors", "-o", "\(network).1.safetensors"], setting)
        }
        var commands: [Command] = []
        if settings.isDemonstration {
            let words = given("pictures") + ["--timing", "log/pictures.json", "--sheet", "pictures.jpg", "-o", "pictures"]
            commands.append(Command("synthesize", words, "SYNTHESIZE_OPTIONS"))
        }
        commands += [views("student"), epoch("student", settings.number("EPOCHS"), "STUDENT_OPTIONS")]
        commands += settings.students.map { begin($0.name, settings[Student.setting].isEmpty ? "STUDENT" : Student.setting) }
        commands += ["train", "test"].map { Command("augment", given("features.\($0)") + ["--quiet"], "FLAGS") }
        if settings.teacherOrigin == .program { commands.append(Command("embed", (files["teacher.embed"] ?? []) + given("teacher.rows") + ["--quiet"], TeacherProgram.setting)) }
        guard settings.trainsTeacher else { return commands }
        return commands
            + [views("teacher"), epoch("teacher", settings.number("TEACHER_EPOCHS"), "TEACHER_OPTIONS"), begin("teacher", "TEACHER_NETWORK")]
    }
}

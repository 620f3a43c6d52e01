import Objectives
import TensorStreams
import ToolSupport

/// TEACHER_COMMAND, tried: a program that stands where a teacher's network would.
struct TeacherProgram {
    /// What the program is known by: its command, and what is in the files that the command names. What these read in turn is not looked into.
    struct Definition {
        let command: String
        /// The regular files among the words of the command, as absolute paths.
        let files: [String]

        /// - Parameter folder: where the program starts, and make was called.
        init(_ command: String, folder: String) {
            self.command = command
            // `--weights=FILE` names one too.
            let names = (ShellWords.split(command) ?? []).flatMap { word in [word] + word.parts("=", most: 2).dropFirst() }
            var files: [String] = []
            for name in names where !name.isEmpty {
                let path = name.hasPrefix("/") ? name : "\(folder)/\(name)"
                if FileStamp(path) != nil, !files.contains(path) { files.append(path) }
            }
            self.files = files
        }

        /// The hash of the command and of its files' bytes, read where `known` does not have them.
        func hash(known: inout FileHashes) throws -> String {
            XXH64.of(["program", command] + (try files.map { try Teacher.hash(of: $0, known: &known) }))
        }
    }

    let definition: Definition
    let hash: String
    /// Numbers of a row.
    let dimension: Int
    let secondsPerImage: Double
    /// Whether that is remembered by the run, and the program was not started.
    let isRemembered: Bool

    /// - Parameter remembering: the run's folder, where it may be remembered what the program's rows are; nil for a program that is to be tried.
    /// - Throws: ``Failure`` `usage` for one that is no teacher.
    init(_ settings: RunSettings, _ environment: StageEnvironment, remembering folder: RunFolder?, known: inout FileHashes, _ supervision: ProgramSupervision) throws {
        let command = settings[TeacherProgram.setting], programs = ProgramCheck(environment: environment)
        try programs.check(command, "'\(command)'", in: TeacherProgram.setting)
        definition = Definition(command, folder: environment.folder)
        hash = try definition.hash(known: &known)
        if let folder, let memory = Memory(in: folder, of: hash, size: settings["SIZE"]) {
            (dimension, secondsPerImage, isRemembered) = (memory.dimension, memory.secondsPerImage, true)
            return
        }
        var supervision = supervision
        supervision.timeout = TeacherProgram.patience
        let size = settings.number("SIZE")
        let trial = try programs.run(in: TeacherProgram.setting, telling: "SEED_TEACHER_TRIAL") {
            try TeacherTrial(command, option: "--command", size: size, supervision)
        }
        (dimension, secondsPerImage, isRemembered) = (trial.dimension, trial.secondsPerImage, false)
    }

    func save(_ settings: RunSettings, in folder: RunFolder) throws {
        try TextFile.write([hash, settings["SIZE"], "\(dimension)", "\(secondsPerImage)"], end: Memory.end, to: folder.file(Memory.file))
    }

    /// What the last trial found: `data/program`.
    private struct Memory {
        static let file = "data/program"
        static let end = "end of program"
        let dimension: Int
        let secondsPerImage: Double

        /// Nil where there is none of this program and this size.
        init?(in folder: RunFolder, of hash: String, size: String) {
            guard let lines = try? TextFile.read(folder.file(Memory.file), end: Memory.end), lines.count == 4, lines[0] == hash, lines[1] == size,
                let dimension = Int(lines[2]), dimension > 0, let seconds = Double(lines[3]), seconds.isFinite
            else { return nil }
            (self.dimension, secondsPerImage) = (dimension, seconds)
        }
    }

    static let setting = "TEACHER_COMMAND"
    /// Seconds that a program may take for an answer: some load a framework first, or fetch weights.
    private static let patience = 900.0
}

import Objectives
import TensorStreams
import ToolSupport

/// The tested TEACHER_COMMAND: a program in place of a teacher's network.
struct TeacherProgram {
    /// The identity of a program: its command, and the contents of files that the command names. Folders, and files
    /// that these files refer to, are not examined.
    ///
    /// A file counts if it existed when the run first tested this command and no test has changed it. Files that the
    /// program writes (a log, a cache, a compiled model) would otherwise change its identity with every execution.
    struct Definition {
        let command: String
        /// The regular files in the command that count: as named in the command, and as absolute paths.
        private var counted: [(name: String, path: String)] = []
        /// The files that do not count, as named in the command.
        private(set) var uncounted: [String] = []

        var files: [String] { counted.map(\.path) }
        var names: [String] { counted.map(\.name) }

        /// - Parameters:
        ///   - folder: the folder in which the program starts and make was called.
        ///   - run: the run's folder, which remembers the counted files after a test of the command.
        init(_ command: String, folder: String, run: String) {
            self.command = command
            let memory = Memory(in: run).flatMap { $0.command == command ? $0 : nil }
            // `--weights=FILE` names a file too.
            for name in (ShellWords.split(command) ?? []).flatMap({ word in [word] + word.parts("=", most: 2).dropFirst() }) where !name.isEmpty {
                let path = name.hasPrefix("/") ? name : "\(folder)/\(name)"
                guard FileStamp(path) != nil, !files.contains(path), !uncounted.contains(name) else { continue }
                if memory?.counted.contains(name) ?? true { counted.append((name, path)) } else { uncounted.append(name) }
            }
        }

        /// Calls `trial`, and returns the definition with only the files that it has not changed.
        func after<Result>(_ trial: () throws -> Result) rethrows -> (Definition, Result) {
            let before = counted.map { FileStamp($0.path) }
            let result = try trial()
            var definition = self
            definition.counted = []
            for (file, stamp) in zip(counted, before) {
                if FileStamp(file.path) == stamp { definition.counted.append(file) } else { definition.uncounted.append(file.name) }
            }
            return (definition, result)
        }

        /// The hash of the command and of its files' bytes. Files are read if `known` lacks them.
        func hash(known: inout FileHashes) throws -> String {
            XXH64.of(["program", command] + (try files.map { try Teacher.hash(of: $0, known: &known) }))
        }
    }

    let definition: Definition
    let hash: String
    /// The width of a row.
    let dimension: Int
    let secondsPerImage: Double
    /// Whether the run remembered these properties, so that the program was not started.
    let isRemembered: Bool

    /// - Parameters:
    ///   - folder: the run's folder, which may remember the properties of the program's rows.
    ///   - isToBeTried: whether to test the program even if they are remembered.
    /// - Throws: ``Failure`` `usage` if the program is not a usable teacher.
    init(
        _ settings: RunSettings, _ environment: StageEnvironment, in folder: RunFolder, isToBeTried: Bool, known: inout FileHashes, _ supervision: ProgramSupervision
    ) throws {
        let command = settings[TeacherProgram.setting], programs = ProgramCheck(environment: environment)
        try programs.check(command, "'\(command)'", in: TeacherProgram.setting)
        let definition = Definition(command, folder: environment.folder, run: folder.path)
        let memory = Memory(in: folder.path)
        if !isToBeTried, let memory, memory.size == settings["SIZE"], try memory.hash == definition.hash(known: &known) {
            (self.definition, hash, dimension, secondsPerImage, isRemembered) = (definition, memory.hash, memory.dimension, memory.secondsPerImage, true)
            return
        }
        var supervision = supervision
        let limit = settings.count(TeacherProgram.limit) ?? TeacherProcess.usualTimeout
        (supervision.timeout, supervision.limit) = (Double(limit), "\(TeacherProgram.limit)=\(limit)")
        let size = settings.number("SIZE")
        let (tried, trial) = try definition.after {
            try programs.run(in: TeacherProgram.setting, telling: "SEED_TEACHER_TRIAL") { try TeacherTrial(command, option: "--command", size: size, supervision) }
        }
        guard TeacherProgram.dimensions.contains(trial.dimension) else {
            throw Failure(.usage, path: TeacherProgram.setting, "gives rows of \(trial.dimension) numbers, more than the maximum of \(TeacherProgram.dimensions.upperBound)", remedy: "pool or project them in the program")
        }
        (self.definition, hash) = (tried, try tried.hash(known: &known))
        (dimension, secondsPerImage, isRemembered) = (trial.dimension, trial.secondsPerImage, false)
    }

    /// Whether everything that a run depends on is the same.
    func isSame(as other: TeacherProgram) -> Bool { hash == other.hash && dimension == other.dimension }

    func save(_ settings: RunSettings, in folder: RunFolder) throws {
        let lines = [hash, settings["SIZE"], "\(dimension)", "\(secondsPerImage)", TextFile.escaped(definition.command)] + definition.names.map { TextFile.escaped($0) }
        try TextFile.write(lines, end: Memory.end, to: folder.file(Memory.file))
    }

    /// The result of the last test: `data/program`.
    private struct Memory {
        static let file = "data/program"
        static let end = "end of program"
        let hash: String
        let size: String
        let dimension: Int
        let secondsPerImage: Double
        let command: String
        /// The files that count, as named in the command.
        let counted: Set<String>

        /// Nil if the run's folder `folder` has none.
        init?(in folder: String) {
            guard let lines = try? TextFile.read("\(folder)/\(Memory.file)", end: Memory.end), lines.count >= 5, let dimension = Int(lines[2]),
                TeacherProgram.dimensions.contains(dimension), let seconds = Double(lines[3]), seconds.isFinite
            else { return nil }
            (hash, size, self.dimension, secondsPerImage) = (lines[0], lines[1], dimension, seconds)
            (command, counted) = (TextFile.unescaped(lines[4]), Set(lines[5...].map { TextFile.unescaped($0) }))
        }
    }

    /// The allowed widths of a row: those of EMBEDDING, so that a student can match them.
    private static let dimensions = 1...65536
    static let setting = "TEACHER_COMMAND"
    /// The setting for the program's answer timeout, in seconds.
    static let limit = "TEACHER_TIMEOUT"
}

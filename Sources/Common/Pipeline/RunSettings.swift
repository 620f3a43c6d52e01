import Objectives
import ToolSupport

/// The values of all settings of a run: the typed value, else the remembered one, else the default.
///
/// A run remembers them in `runs/NAME/settings`, one line `NAME=value` each. The file is data: nothing in it is
/// expanded or executed.
public struct RunSettings: Sendable {
    private var values: [String: String] = [:]
    /// The values that the run remembered, by name.
    let remembered: [String: String]
    /// The names that were typed this time.
    let typed: Set<String>

    static let file = "settings"
    private static let end = "end of settings"

    /// Variables of the Makefile that are not settings of a run.
    private static let makesOwn: Set<String> = ["BUILD", "CI", "PREFIX", "DESTDIR", "PEERS", "NETWORKS", "BENCH_OPTIONS", "SEED_MARCH", "DEFAULTS_FIRST", "NAMES", "HISTORY", "ON_FALL", "PROMETHEUS"]

    /// Whether a variable controls GNU make itself (its manual, "Other Special Variables" and "Implicit Variables"):
    /// `MAKE`, `MAKEFLAGS`, `.SHELLFLAGS` and others.
    private static func isVariableOfMake(_ name: String) -> Bool {
        name.hasPrefix("MAKE") || name.hasPrefix(".") || ["SHELL", "MFLAGS", "GNUMAKEFLAGS", "CURDIR", "VPATH", "SUFFIXES"].contains(name)
    }

    /// - Throws: ``Failure`` `usage` for an unknown name, with the nearest known one.
    static func check(_ flags: MakeFlags) throws {
        try flags.checkOptions()
        let names = Setting.all.map(\.name)
        for assignment in flags.assignments where Setting.named(assignment.name) == nil && !makesOwn.contains(assignment.name) {
            if let name = Setting.renamed[assignment.name] { throw Failure(.usage, "there is no setting \(assignment.name) any more", remedy: "it is \(name) now") }
            guard !isVariableOfMake(assignment.name) else {
                throw Failure(.usage, "\(assignment.name) is a variable of make itself, and may break its recipes", remedy: "leave it out")
            }
            throw Failure(
                .usage, "there is no setting \(assignment.name)", remedy: Nearest.remedy(assignment.name, among: names, list: "'make help' lists all"))
        }
    }

    /// - Parameters:
    ///   - typed: the assignments from the command line.
    ///   - folder: the run's folder, which need not exist.
    ///   - pipelines: the folder of make's fragments.
    ///   - method: the student's method if none is given; nil for the general default.
    /// - Throws: ``Failure``: `usage` for a value that the setting does not accept; `data` if the remembered settings
    ///   are truncated.
    init(typed: [MakeFlags.Assignment], folder: String, pipelines: String, method usual: String? = nil) throws {
        let path = folder + "/" + RunSettings.file
        var remembered: [String: String] = [:]
        do {
            let lines = try TextFile.read(path, end: RunSettings.end)
            // If a stage is finished, there must have been settings.
            guard lines != nil || FolderNames.all(in: folder + "/done").isEmpty else { throw Failure(.data, "is missing, but stages of the run exist") }
            for line in lines ?? [] {
                let parts = line.parts("=", most: 2)
                guard parts.count == 2, let setting = Setting.named(Setting.renamed[parts[0]] ?? parts[0]), setting.isKept else { continue }
                remembered[setting.name] = TextFile.unescaped(parts[1])
            }
        } catch let failure as Failure where failure.kind == .data {
            throw Failure(.data, path: path, failure.what, remedy: "restore it, remove the run, or give another NAME")
        }
        var given = Dictionary(typed.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        self.remembered = remembered
        self.typed = Set(given.keys)
        if let usual, given["METHOD"] == nil, remembered["METHOD"] == nil { given["METHOD"] = usual }
        let typed = given
        let isDemonstration = (typed["DATA"] ?? remembered["DATA"] ?? "").isEmpty
        let defaults = MethodDefaults(pipelines: pipelines)
        // The setting that names a method comes before the options of that method.
        for setting in Setting.all {
            let value = setting.name == "TEACHER" ? FetchedTeacher.value(typed: typed, remembered: remembered, isDemonstration: isDemonstration, method: values["METHOD"])
                : try setting.name == "STUDENT" ? RunSettings.student(typed: typed, remembered: remembered) ?? setting.fallback(drawn: isDemonstration, objective: { _ in "" }, defaults)
                : RunSettings.chosen(setting, typed, remembered, values) ?? setting.fallback(drawn: isDemonstration, objective: { values[$0] ?? "" }, defaults)
            try RunSettings.check(value, setting)
            values[setting.name] = value
        }
    }

    /// The typed or remembered value; nil for the default. Options of a method that are typed as empty also get the
    /// default.
    private static func chosen(_ setting: Setting, _ typed: [String: String], _ remembered: [String: String], _ values: [String: String]) -> String? {
        guard let value = typed[setting.name] else { return kept(setting, remembered, values) }
        if case .methodOptions = setting.kind, value.isEmpty { return nil }
        return value
    }

    /// The remembered value of a setting. Remembered options apply only to the method that the run had.
    private static func kept(_ setting: Setting, _ remembered: [String: String], _ values: [String: String]) -> String? {
        if case .methodOptions(let name) = setting.kind {
            if let before = remembered[name], before != values[name] { return nil }
            // A pretrained network needs other options than a new one.
            if name == "METHOD", (remembered[Beginning.setting] ?? "").isEmpty != (values[Beginning.setting] ?? "").isEmpty { return nil }
        }
        return remembered[setting.name]
    }

    /// The settings of a planned run, all of which it remembers.
    init(remembered folder: String) throws { try self.init(typed: [], folder: folder, pipelines: "") }

    /// Saves the settings that a run remembers in its folder.
    func save(in folder: String) throws {
        // A run that never had a teacher must not record that a teacher is to be trained.
        let isSilent = teacherOrigin == .none && remembered["TEACHER"] == nil
        let lines = Setting.all.filter { $0.isKept && !($0.name == "TEACHER" && isSilent) }.compactMap { setting -> String? in
            // With several teachers, TEACHER is the first of them. Keep the previous value, which applies again with
            // another method.
            let value = setting.name == "TEACHER" && method.inputs.hasSeveralTeachers ? remembered["TEACHER"] : self[setting.name]
            return value.map { "\(setting.name)=\(TextFile.escaped($0))" }
        }
        try TextFile.write(lines, end: RunSettings.end, to: folder + "/" + RunSettings.file)
    }

    /// The settings that differ from what the run remembers, in the order of `make help`.
    var changed: [String] {
        Setting.all.map(\.name).filter { name in name == "TEACHER" && method.inputs.hasSeveralTeachers ? false : remembered[name].map { $0 != self[name] } ?? false }
    }

    subscript(name: String) -> String { values[name] ?? "" }

    /// The value of a numeric setting; nil if it is empty.
    func count(_ name: String) -> Int? { Int(self[name]) }

    /// The value of a numeric setting that is never empty, since it was checked.
    func number(_ name: String) -> Int { count(name) ?? 0 }

    /// The same settings with one changed.
    func setting(_ name: String, to value: String) -> RunSettings {
        var settings = self
        settings.values[name] = value
        return settings
    }

    /// The words of a setting that contains options.
    func words(_ name: String) -> [String] { ShellWords.split(self[name]) ?? [] }

    var isDemonstration: Bool { self["DATA"].isEmpty }

    /// The student's method.
    var method: any Objective.Type { Methods.named(self["METHOD"]) ?? SEED.self }
    /// The teacher's method.
    var teacherMethod: any Objective.Type { Methods.named(self["TEACHER_OBJECTIVE"]) ?? MoCoV2.self }

    private static func check(_ value: String, _ setting: Setting) throws {
        func wrong(_ what: String, _ remedy: String? = nil) -> Failure { Failure(.usage, "\(setting.name)=\(value): \(what)", remedy: remedy) }
        func checkCount(_ range: ClosedRange<Int>) throws {
            // Only digits are allowed; Int accepts "+3" too.
            guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value), range.contains(number) else {
                throw wrong("a whole number from \(range.lowerBound) to \(range.upperBound) is expected")
            }
        }
        guard !value.unicodeScalars.contains("\0") else { throw wrong("contains a zero byte") }
        // Invalid UTF-8 has been decoded as U+FFFD.
        guard !value.unicodeScalars.contains("\u{FFFD}") else {
            if case .path = setting.kind { throw wrong("is not UTF-8", "give a link to it whose name is") }
            throw wrong("is not UTF-8")
        }
        switch setting.kind {
        case .path: break
        case .interval:
            guard value.isEmpty || CheckpointInterval(value) != nil else {
                throw wrong("a number of batches is expected, or of minutes as 10m, seconds as 30s")
            }
        case .text:
            // An option file has one line per argument.
            guard !value.unicodeScalars.contains(where: { $0 == "\n" || $0 == "\r" }) else { throw wrong("contains a line break", "write it on one line, or put it into a script") }
        case .count(let range): try checkCount(range)
        case .optionalCount(let range): if !value.isEmpty { try checkCount(range) }
        case .seed:
            guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), UInt64(value) != nil else { throw wrong("a whole number below 2^64 is expected") }
        case .flag: guard ["", "1"].contains(value) else { throw wrong("1 is expected, or nothing") }
        case .oneOf(let names), .someOf(let names):
            let isList = if case .someOf = setting.kind { true } else { false }
            guard let other = (isList ? value.split(separator: " ").map(String.init) : [value]).first(where: { !names.contains($0) }) else { return }
            let nearest = Nearest.name(to: other, among: names).map { "did you mean \($0)? " } ?? ""
            throw wrong("there is none of that name" + (other == value ? "" : ", '\(other)'"), nearest + "there are " + names.filter { !$0.isEmpty }.joined(separator: ", "))
        case .words, .methodOptions:
            guard let words = ShellWords.split(value) else { throw wrong("a quote is not closed") }
            guard !words.contains(where: { $0.unicodeScalars.contains("\n") }) else { throw wrong("an option contains a line break") }
            // Options are passed in files with one argument per line.
            guard !words.contains("--") else { throw wrong("contains '--', after which nothing is an option", "leave it out") }
            guard !words.contains("") else { throw wrong("an option is empty") }
            guard !words.contains(where: { $0.unicodeScalars.first == "@" }) else { throw wrong("an option begins with '@'", "write the options out") }
        }
    }
}

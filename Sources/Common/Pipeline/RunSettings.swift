import Objectives
import ToolSupport

/// The values of all settings for one run: what was typed, before it what the run remembers, before that the defaults.
///
/// A run remembers them in `runs/NAME/settings`, a line `NAME=value` each. That file is data: nothing in it is expanded or run.
public struct RunSettings: Sendable {
    private var values: [String: String] = [:]
    /// What the run remembered under each name, where it remembered anything.
    let remembered: [String: String]
    /// Names that were typed this time.
    let typed: Set<String>

    static let file = "settings"
    private static let end = "end of settings"

    /// Words of the Makefile, which say nothing of a run.
    private static let makesOwn: Set<String> = ["BUILD", "CI", "PREFIX", "DESTDIR", "PEERS", "NETWORKS", "BENCH_OPTIONS", "SEED_MARCH", "DEFAULTS_FIRST", "NAMES", "HISTORY", "ON_FALL", "PROMETHEUS"]

    /// Variables that say how GNU make works (its manual, "Other Special Variables" and "Implicit Variables"): `MAKE`, `MAKEFLAGS`, `.SHELLFLAGS` and such.
    private static func isVariableOfMake(_ name: String) -> Bool {
        name.hasPrefix("MAKE") || name.hasPrefix(".") || ["SHELL", "MFLAGS", "GNUMAKEFLAGS", "CURDIR", "VPATH", "SUFFIXES"].contains(name)
    }

    /// - Throws: ``Failure`` `usage` for a name that is none, which names the nearest.
    static func check(_ flags: MakeFlags) throws {
        try flags.checkOptions()
        let names = Setting.all.map(\.name)
        for assignment in flags.assignments where Setting.named(assignment.name) == nil && !makesOwn.contains(assignment.name) {
            if let name = Setting.renamed[assignment.name] { throw Failure(.usage, "there is no setting \(assignment.name) any more", remedy: "it is \(name) now") }
            guard !isVariableOfMake(assignment.name) else {
                throw Failure(.usage, "\(assignment.name) is a variable of make itself, with which recipes may not run as they are meant", remedy: "leave it out")
            }
            throw Failure(
                .usage, "there is no setting \(assignment.name)", remedy: Nearest.remedy(assignment.name, among: names, list: "'make help' lists all"))
        }
    }

    /// - Parameters:
    ///   - typed: from the command line.
    ///   - folder: of the run, which may not be there yet.
    ///   - pipelines: the folder of make's fragments.
    ///   - method: by which the student learns where no method is named; nil for the usual one.
    /// - Throws: ``Failure`` `usage` where a value is none that its setting takes; `data` where what the run remembers was cut short.
    init(typed: [MakeFlags.Assignment], folder: String, pipelines: String, method usual: String? = nil) throws {
        let path = folder + "/" + RunSettings.file
        var remembered: [String: String] = [:]
        do {
            let lines = try TextFile.read(path, end: RunSettings.end)
            // Where a stage has been done there were settings.
            guard lines != nil || FolderNames.all(in: folder + "/done").isEmpty else { throw Failure(.data, "is not there, but stages of the run are") }
            for line in lines ?? [] {
                let parts = line.parts("=", most: 2)
                guard parts.count == 2, let setting = Setting.named(Setting.renamed[parts[0]] ?? parts[0]), setting.isKept else { continue }
                remembered[setting.name] = TextFile.unescaped(parts[1])
            }
        } catch let failure as Failure where failure.kind == .data {
            throw Failure(.data, path: path, failure.what, remedy: "put it back, or remove the run, or take another NAME")
        }
        var given = Dictionary(typed.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 })
        self.remembered = remembered
        self.typed = Set(given.keys)
        if let usual, given["METHOD"] == nil, remembered["METHOD"] == nil { given["METHOD"] = usual }
        let typed = given
        let isDemonstration = (typed["DATA"] ?? remembered["DATA"] ?? "").isEmpty
        let defaults = MethodDefaults(pipelines: pipelines)
        // A setting that names a method stands before the options of that method.
        for setting in Setting.all {
            let value = setting.name == "TEACHER" ? FetchedTeacher.value(typed: typed, remembered: remembered, isDemonstration: isDemonstration, method: values["METHOD"])
                : try setting.name == "STUDENT" ? RunSettings.student(typed: typed, remembered: remembered) ?? setting.fallback(drawn: isDemonstration, objective: { _ in "" }, defaults)
                : RunSettings.chosen(setting, typed, remembered, values) ?? setting.fallback(drawn: isDemonstration, objective: { values[$0] ?? "" }, defaults)
            try RunSettings.check(value, setting)
            values[setting.name] = value
        }
    }

    /// What was typed, or is remembered; nil for the default, which is also what options for a method take again that are typed with nothing behind their =.
    private static func chosen(_ setting: Setting, _ typed: [String: String], _ remembered: [String: String], _ values: [String: String]) -> String? {
        guard let value = typed[setting.name] else { return kept(setting, remembered, values) }
        if case .methodOptions = setting.kind, value.isEmpty { return nil }
        return value
    }

    /// What a run remembers of a setting. Options that it remembers are those of the method that it had, and no other's.
    private static func kept(_ setting: Setting, _ remembered: [String: String], _ values: [String: String]) -> String? {
        if case .methodOptions(let name) = setting.kind {
            if let before = remembered[name], before != values[name] { return nil }
            // What has learnt before wants other options than what has not.
            if name == "METHOD", (remembered[Beginning.setting] ?? "").isEmpty != (values[Beginning.setting] ?? "").isEmpty { return nil }
        }
        return remembered[setting.name]
    }

    /// Those of a run that has been planned, which remembers all.
    init(remembered folder: String) throws { try self.init(typed: [], folder: folder, pipelines: "") }

    /// Remembers what a run keeps in its folder.
    func save(in folder: String) throws {
        // A run that never had a teacher does not say that one is to be trained.
        let isSilent = teacherOrigin == .none && remembered["TEACHER"] == nil
        let lines = Setting.all.filter { $0.isKept && !($0.name == "TEACHER" && isSilent) }.compactMap { setting -> String? in
            // Among several it is the first of them; what it was before, it is again with another method.
            let value = setting.name == "TEACHER" && method.inputs.hasSeveralTeachers ? remembered["TEACHER"] : self[setting.name]
            return value.map { "\(setting.name)=\(TextFile.escaped($0))" }
        }
        try TextFile.write(lines, end: RunSettings.end, to: folder + "/" + RunSettings.file)
    }

    /// Settings that are other than the run remembers, in the order of their help.
    var changed: [String] {
        Setting.all.map(\.name).filter { name in name == "TEACHER" && method.inputs.hasSeveralTeachers ? false : remembered[name].map { $0 != self[name] } ?? false }
    }

    subscript(name: String) -> String { values[name] ?? "" }

    /// The number that a setting of that kind holds; nil where it is empty.
    func count(_ name: String) -> Int? { Int(self[name]) }

    /// A number that must be there, since its setting was checked.
    func number(_ name: String) -> Int { count(name) ?? 0 }

    /// The same with another value of a setting.
    func setting(_ name: String, to value: String) -> RunSettings {
        var settings = self
        settings.values[name] = value
        return settings
    }

    /// The words of a setting that holds options.
    func words(_ name: String) -> [String] { ShellWords.split(self[name]) ?? [] }

    var isDemonstration: Bool { self["DATA"].isEmpty }

    /// The method by which the student learns.
    var method: any Objective.Type { Methods.named(self["METHOD"]) ?? SEED.self }
    /// The method by which the teacher learns.
    var teacherMethod: any Objective.Type { Methods.named(self["TEACHER_OBJECTIVE"]) ?? MoCoV2.self }

    private static func check(_ value: String, _ setting: Setting) throws {
        func wrong(_ what: String, _ remedy: String? = nil) -> Failure { Failure(.usage, "\(setting.name)=\(value): \(what)", remedy: remedy) }
        func checkCount(_ range: ClosedRange<Int>) throws {
            // Digits alone: Int takes "+3" too.
            guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value), range.contains(number) else {
                throw wrong("a whole number of \(range.lowerBound) to \(range.upperBound) is expected")
            }
        }
        guard !value.unicodeScalars.contains("\0") else { throw wrong("holds a zero byte") }
        // What is no UTF-8 has been read as U+FFFD.
        guard !value.unicodeScalars.contains("\u{FFFD}") else {
            if case .path = setting.kind { throw wrong("is not UTF-8", "make a link to it that is") }
            throw wrong("is not UTF-8")
        }
        switch setting.kind {
        case .path: break
        case .interval:
            guard value.isEmpty || CheckpointInterval(value) != nil else {
                throw wrong("a number of batches is expected, or of minutes as 10m, seconds as 30s")
            }
        case .text:
            // Options files have a line for each argument.
            guard !value.unicodeScalars.contains(where: { $0 == "\n" || $0 == "\r" }) else { throw wrong("holds a line break", "write it in one line, or put it into a script") }
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
            guard !words.contains(where: { $0.unicodeScalars.contains("\n") }) else { throw wrong("an option holds a line break") }
            // Options travel in files in which a line is an argument.
            guard !words.contains("--") else { throw wrong("holds '--', behind which nothing is an option", "leave it out") }
            guard !words.contains("") else { throw wrong("an option is empty") }
            guard !words.contains(where: { $0.unicodeScalars.first == "@" }) else { throw wrong("an option begins with '@'", "write the options out") }
        }
    }
}

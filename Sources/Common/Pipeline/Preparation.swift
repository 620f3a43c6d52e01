import Datasets
import Networks
import Parallel
import TensorStreams
import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A run that has been looked at as a whole: its settings, data and teacher are opened and go together.
///
/// Making one writes nothing. What cannot work throws here, before anything is done.
struct Preparation {
    let settings: RunSettings
    let folder: RunFolder
    let run: Run
    let train: PictureData?
    let test: PictureData?
    let teacher: Teacher?
    let hashes: FileHashes
    /// What a person should know, a line each.
    private(set) var remarks: [String] = []

    static let hashesFile = "data/hashes"
    static let identityFile = "data/identity"
    private static let identityEnd = "end of identity"

    /// The folder of the run that was typed.
    static func folder(_ flags: MakeFlags) throws -> RunFolder {
        try RunSettings.check(flags)
        return try RunFolder(runs: flags.value(of: "RUNS") ?? "runs", name: flags.value(of: "NAME") ?? RunFolder.name(of: flags.value(of: "DATA") ?? ""))
    }

    init(_ flags: MakeFlags, tools: String, progress: (String, Int, Int) -> Void) throws {
        folder = try Preparation.folder(flags)
        let settings = try RunSettings(typed: flags.assignments, folder: folder.path)
        self.settings = settings
        var known = FileHashes(reading: folder.file(Preparation.hashesFile))
        for name in ["DATA", "TEST", "TEACHER"] where flags.value(of: name) == "" && settings.remembered[name, default: ""].isEmpty {
            throw Failure(.usage, "\(name) is empty", remedy: "name a file or folder, or leave \(name) out")
        }
        for name in ["DATA", "TEST", "TEACHER"] where !settings[name].isEmpty {
            guard unsafe access(settings[name], F_OK) == 0 else {
                throw Failure.errno(.noInput, path: "\(name)=\(settings[name])", "cannot open it")
            }
        }
        if let before = settings.remembered["DATA"], before.isEmpty != settings["DATA"].isEmpty {
            throw Failure(.usage, "\(folder.path) is a run on \(before.isEmpty ? "drawn pictures" : before)", remedy: "give this one a NAME of its own")
        }
        if !settings.isDemonstration, !settings["SYNTHESIZE_OPTIONS"].isEmpty {
            throw Failure(.usage, "SYNTHESIZE_OPTIONS goes with drawn pictures, and DATA=\(settings["DATA"]) is given", remedy: "leave one of them out")
        }
        if settings["DATA"].isEmpty, !settings["TEST"].isEmpty {
            throw Failure(.usage, "TEST=\(settings["TEST"]) needs DATA", remedy: "name the pictures to learn from")
        }

        // Lists first, since they are quick; bytes once all else is known to go together.
        let learnt = settings.isDemonstration ? nil : try Dataset(settings["DATA"])
        let ownTest = learnt.flatMap { Preparation.judging($0.splits) }.flatMap { $0 == learnt?.split ? nil : $0 }
        let judged: Dataset? =
            if !settings["TEST"].isEmpty { try Preparation.open(test: settings["TEST"], for: learnt) } else if let ownTest {
                try Dataset(settings["DATA"], split: ownTest, classes: learnt?.classes ?? [])
            } else { nil }
        let judgement = try Preparation.judgement(settings, learnt, judged)
        teacher = settings["TEACHER"].isEmpty ? nil : try Teacher(settings["TEACHER"], known: &known)
        let embedding = settings.count("EMBEDDING") ?? teacher?.network.embeddingWidth ?? 128
        if let teacher, teacher.network.embeddingWidth != embedding {
            throw Failure(
                .usage, path: settings["TEACHER"], "has embeddings of \(teacher.network.embeddingWidth) numbers where EMBEDDING=\(embedding)",
                remedy: "leave out EMBEDDING, which then is the teacher's")
        }
        let draft = Run(
            settings: settings, data: nil, test: nil, splits: (learnt?.split, judged?.split), teacher: teacher?.hash, embedding: embedding,
            judgement: judgement)
        try Preparation.checkOwners(settings)
        try Preparation.checkOptions(draft, tools: tools)

        train = try learnt.map { data in try PictureData(data, known: &known) { progress("DATA", $0, data.samples.count) } }
        test = try judged.map { data in try PictureData(data, known: &known) { progress("TEST", $0, data.samples.count) } }
        run = Run(
            settings: settings, data: train?.identity, test: test?.identity, splits: draft.splits, teacher: teacher?.hash, embedding: embedding,
            judgement: judgement)
        hashes = known
        try checkName()
        try checkCounts()
        try noteData()
    }

    /// TEST. Where it has splits, its test or validation part, and the training part only where there is no other.
    private static func open(test path: String, for learnt: Dataset?) throws -> Dataset {
        let classes = learnt?.classes ?? []
        let data = try Dataset(path, classes: classes)
        guard let other = Preparation.judging(data.splits) , other != data.split else { return data }
        return try Dataset(path, split: other, classes: classes)
    }

    /// The split to judge by.
    private static func judging(_ splits: [String]) -> String? {
        ["val", "test"].lazy.compactMap { kind in splits.first { $0.lowercased().hasPrefix(kind) } }.first
    }

    /// What a run's networks are judged by.
    private static func judgement(_ settings: RunSettings, _ train: Dataset?, _ test: Dataset?) throws -> Judgement {
        guard let train else { return .testByData }
        let isTaught = train.classes.count > 1
        if settings["TEACHER"].isEmpty, settings["TEACHER_OBJECTIVE"] == "supervised-contrastive", !isTaught {
            throw Failure(
                .usage, path: settings["DATA"], "has no labels, which TEACHER_OBJECTIVE=supervised-contrastive needs",
                remedy: "put pictures into folders named for their classes, or take TEACHER_OBJECTIVE=moco-v2")
        }
        guard let test else {
            if isTaught { return .halvesOfData }
            return .none("\(settings["DATA"]) has no labels, so there is nothing to evaluate with: put pictures into folders named for their classes, or name TEST")
        }
        let name = settings["TEST"].isEmpty ? settings["DATA"] : settings["TEST"]
        guard !test.classes.isEmpty else {
            throw Failure(.data, path: name, "has no labels, so that nothing can be judged by it", remedy: "put its pictures into folders named for their classes, or leave out TEST")
        }
        guard isTaught else {
            guard test.classes.count > 1 else {
                throw Failure(.data, path: name, "has one class, '\(test.classes[0])', and DATA has no labels", remedy: "name a TEST of several classes, or leave it out")
            }
            return .halvesOfTest
        }
        let missing = Set(test.classes).subtracting(train.classes).sorted()
        guard missing.isEmpty else {
            let names = missing.prefix(3).map { "'\($0)'" }.joined(separator: ", ") + (missing.count > 3 ? " and \(missing.count - 3) more" : "")
            throw Failure(.data, path: name, "has classes that DATA lacks: \(names)", remedy: "DATA has \(some(train.classes)); both need the same folder names")
        }
        return .testByData
    }

    /// Lets each tool look at the options that it will be given.
    private static func checkOptions(_ run: Run, tools: String) throws {
        let check = OptionCheck(tools: tools), options = run.options
        // Names as they will be in the run's folder; none of them is opened.
        func given(_ name: String) -> [String] { options[name] ?? [] }
        if run.settings.isDemonstration { try check.check("synthesize", given("pictures") + ["-o", "pictures"], setting: "SYNTHESIZE_OPTIONS") }
        try check.check("augment", ["--data", "data/train"] + given("student.augment"), setting: "FLAGS")
        try check.check("augment", given("features.test"), setting: "FLAGS")
        try check.check("train-step", given("student.train") + ["--epochs", "\(run.epochs)", "--student", "student.0.safetensors", "-o", "student.1.safetensors"], setting: "STUDENT_OPTIONS")
        try check.check("initialize", given("student.begin") + ["-o", "-"], setting: "STUDENT")
        guard run.teacher == nil else { return }
        try check.check("train-step", given("teacher.train") + ["--epochs", "\(run.teacherEpochs)", "--student", "student.0.safetensors", "-o", "student.1.safetensors"], setting: "TEACHER_OPTIONS")
        try check.check("initialize", given("teacher.begin") + ["-o", "-"], setting: "TEACHER_NETWORK")
    }

    /// Whether there are enough pictures for a batch.
    private func checkCounts() throws {
        func check(_ name: String, _ count: Int) throws {
            guard settings.number(name) <= count else {
                throw Failure(.usage, "\(name)=\(settings[name]): there are \(count) pictures to learn from", remedy: "take \(name)=\(max(1, min(64, count))) or less")
            }
        }
        let counts = counts
        try check("BATCH", counts.student)
        if settings["TEACHER"].isEmpty { try check("TEACHER_BATCH", counts.teacher) }
    }

    /// Options that make gives by itself, and those that FLAGS may hold.
    private static func checkOwners(_ settings: RunSettings) throws {
        let given = ["--student", "-o", "--output", "--log", "--epochs", "--timing", "--help", "-h", "--version"]
        for name in ["STUDENT_OPTIONS", "TEACHER_OPTIONS", "SYNTHESIZE_OPTIONS"] {
            for word in settings.words(name) where given.contains(word.parts("=", most: 2)[0]) {
                throw Failure(.usage, "\(name): \(word) is no option to be given here", remedy: "leave it out; make gives what the stage needs")
            }
        }
        let flags = ["--allow-bad", "--limit", "--crop-scale", "--level"]
        for word in settings.words("FLAGS") where word.hasPrefix("-") && Int(word) == nil && !flags.contains(word.parts("=", most: 2)[0]) {
            throw Failure(.usage, "FLAGS: \(word) is no option to be given here", remedy: "FLAGS takes \(flags.joined(separator: ", "))")
        }
    }

    /// Another data set of the same name must not take this run's place unasked.
    private func checkName() throws {
        guard !settings.typed.contains("NAME"), let before = settings.remembered["DATA"], before != settings["DATA"], let train else { return }
        if let lines = try? TextFile.read(folder.file(Preparation.identityFile), end: Preparation.identityEnd), lines.first == train.identity { return }
        let name = folder.path.lastPathPart ?? ""
        throw Failure(
            .usage, "\(folder.path) is a run on \(before), which is other data than \(settings["DATA"])",
            remedy: "give this one a NAME of its own, or NAME=\(name) to take its place")
    }

    private mutating func noteData() throws {
        for (name, data) in [("DATA", train), ("TEST", test)] {
            guard let data else { continue }
            let repeated = data.count - Set(data.hashes).count
            if repeated > 0 { remarks.append("\(name): \(repeated) of its \(data.count) pictures are there more than once") }
            guard let first = data.broken.first else { continue }
            guard data.broken.count <= data.count / 100 || settings.words("FLAGS").contains("--allow-bad") else {
                throw Failure(
                    .data, path: settings[name].isEmpty ? settings["DATA"] : settings[name],
                    "\(data.broken.count) of its \(data.count) pictures are broken, more than 1 %, such as \(data.dataset.location(of: first.index)): \(first.reason)",
                    remedy: "repair them, or give FLAGS=--allow-bad to leave them out")
            }
            remarks.append("\(name): \(data.broken.count) pictures have a broken header, such as \(data.dataset.location(of: first.index)) (\(first.reason))")
        }
        if let train, let test {
            let shared = test.shared(with: train)
            if shared > 0, judgedByTest { remarks.append("TEST: \(shared) of its \(test.count) pictures are also in DATA, byte for byte: what they tell is too good") }
        }
    }

    private var judgedByTest: Bool { run.judgement == .testByData }

    /// Writes what the stages will read: settings, options, links, what the data is.
    func write() throws {
        try settings.save(in: folder.path)
        for (name, words) in run.options { try TextFile.write(words.map { $0 + "\n" }.joined(), to: folder.file("options/\(name)")) }
        try hashes.save(to: folder.file(Preparation.hashesFile))
        try TextFile.write([train?.identity ?? "drawn", test?.identity ?? "none"], end: Preparation.identityEnd, to: folder.file(Preparation.identityFile))
        if settings.isDemonstration {
            try folder.link("data/train", to: "../pictures/train")
            try folder.link("data/test", to: "../pictures/test")
        } else {
            try TextFile.write((train?.classes ?? []).map { $0 + "\n" }.joined(), to: folder.file("data/classes"))
            try folder.link("data/train", to: try RunFolder.resolved(settings["DATA"]))
            try folder.link("data/test", to: try RunFolder.resolved(settings["TEST"].isEmpty ? settings["DATA"] : settings["TEST"]))
        }
        let isGiven = !settings["TEACHER"].isEmpty
        try folder.link("teacher.safetensors", to: isGiven ? try RunFolder.resolved(settings["TEACHER"]) : "teacher.\(run.teacherEpochs).safetensors")
    }

    /// Pictures in an epoch, of those that are not left out, and in a judgement.
    var counts: (student: Int, teacher: Int, judged: Int) {
        func option(_ name: String, in words: [String]) -> Int? {
            var value: Int?
            for (place, word) in words.enumerated() {
                if word == name, place + 1 < words.count { value = Int(words[place + 1]) }
                if word.hasPrefix(name + "=") { value = Int(word.dropFirst(name.count + 1)) }
            }
            return value
        }
        let drawn = settings.words("SYNTHESIZE_OPTIONS"), limit = option("--limit", in: settings.words("FLAGS")) ?? .max
        let learnt = settings.isDemonstration ? option("--train", in: drawn) ?? 6000 : train?.count ?? 0
        let tested = settings.isDemonstration ? option("--test", in: drawn) ?? 1200 : test?.count ?? 0
        let judged = switch run.judgement {
        case .none: 0
        case .halvesOfData: learnt
        case .halvesOfTest: tested
        case .testByData: learnt + tested
        }
        let isHalf = settings["TEACHER_OBJECTIVE"] == "supervised-contrastive" && run.judgement == .halvesOfData
        return (min(limit, learnt), min(limit, isHalf ? (learnt + 1) / 2 : learnt), judged)
    }
}

/// A few words of a list: the first three, and how many more there are.
func some(_ names: [String]) -> String {
    names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
}

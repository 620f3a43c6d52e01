import Datasets
import Networks
import Objectives
import TensorStreams
import ToolSupport

/// A summary of a run and of its remaining work, in a few lines.
struct Summary {
    let preparation: Preparation
    let work: Work
    /// Disk and memory; nil if nothing remains to be done.
    let room: Room?

    private var settings: RunSettings { preparation.settings }
    private var run: Run { preparation.run }

    var text: String {
        var lines: [(String, String)] = []
        lines.append(("learn from", settings.isDemonstration ? "drawn images: \(preparation.drawn)" : describe(settings["DATA"], preparation.train)))
        lines.append(("evaluate on", judged))
        if let labels = preparation.labels { lines.append(("labels", describe(labels))) }
        if settings.teacherOrigin != .none { lines.append((preparation.teachers.count > 1 ? "teachers" : "teacher", teacher)) }
        lines.append((run.students.count == 1 ? "student" : "students", student))
        if let store = settings.store { lines.append(("store", describe(store))) }
        for (name, data) in [("DATA", preparation.train), ("TEST", preparation.test)] {
            guard let data, !data.dataset.passedOver.isEmpty else { continue }
            lines.append(("skipped", "\(name): \(data.dataset.passedOver.map(\.summary).joined(separator: "; "))"))
        }
        lines += preparation.remarks.map { ("note", $0) }
        if let broken = decoded { lines.append(("note", "DATA: \(broken)")) }
        lines += work.damaged.map { ("damaged", "\($0.file) is not as \($0.stage) made it and will be set aside as \($0.aside)") }
        lines += doneByOtherVersions
        lines += doneAgain
        lines += toDo
        // Names must not break the lines.
        let name = preparation.folder.path.printable + (preparation.folder.isRun ? "" : ", a new run")
        return ([name] + lines.map { ($0.0, $0.1.printable) }.map { "  " + $0.0 + String(repeating: " ", count: max(1, 13 - $0.0.count)) + $0.1 }).joined(separator: "\n")
    }

    /// A note on images that the first epoch, which decoded all of them, could not decode.
    private var decoded: String? {
        let students = run.students.map { "\($0.name).1" }, isDone = students.contains { work.done[$0] != nil }
        let reports = (work.done["teacher.1"] != nil ? ["teacher.1"] : []) + (isDone ? students + ["students.1"] : [])
        guard let bytes = reports.lazy.compactMap({ try? TextFile.bytes(preparation.folder.file("log/\($0).images.json")) }).first,
            let report = try? JSON(parsing: bytes), let broken = report["broken"], let count = broken["count"]?.asInteger, count > 0
        else { return nil }
        let first = broken["images"]?.asArray?.first
        return "\(report["first_batch"] == nil && report["slice"] == nil ? "" : "at least ")\(count) images could not be decoded and are left out, such as \(first?["image"]?.asString ?? "") (\(first?["reason"]?.asString ?? ""))"
    }

    private func describe(_ path: String, _ data: ImageData?) -> String {
        guard let data else { return path }
        let unlabelled = data.count - data.labelled
        var text = "\(path)\(data.dataset.split.map { ", its '\($0)'" } ?? ""): \(Summary.count(data.count, "image"))"
        text += data.classes.isEmpty ? ", no labels" : " in \(data.classes.count) class\(data.classes.count == 1 ? "" : "es") (\(some(data.classes)))"
        if !data.classes.isEmpty, unlabelled > 0 { text += ", \(unlabelled) without a label" }
        return text
    }

    private func describe(_ labels: ChosenLabels) -> String {
        let given = settings[LabelChoice.setting], count = labels.count.map { Summary.count($0, "image") + (labels.list == nil ? ", " : " of ") } ?? ""
        return count + (labels.list == nil ? "\(given) of each class" : given) + "; networks are evaluated with their labels too"
    }

    private var judged: String {
        let test = settings["TEST"].isEmpty ? settings["DATA"] : settings["TEST"]
        return switch run.judgement {
        case .unlabelled(let share):
            "\(share.divisor == 1 ? "all of DATA" : Summary.count(share.images, "image") + " of DATA"): whether images are told apart"
                + (settings.teacherOrigin == .none ? "" : " and share the teacher's neighbours")
                + ". DATA \(share.reason): put images into folders named for their classes, or give TEST, to get accuracies too"
        case .testByData: settings.isDemonstration ? "drawn images" : describe(test, preparation.test)
        case .halvesOfData:
            "one half of DATA, by the labels of the other" + (settings.method.inputs.labels ? ", from which the student learns" : "; the student learns from both, unlabelled")
        case .halvesOfTest: "\(describe(test, preparation.test)); one half by the labels of the other, since DATA has none"
        }
    }

    private var teacher: String {
        if !preparation.teachers.isEmpty {
            let named = zip(settings.givenTeachers, preparation.teachers).map { given, teacher in
                (given.letter.map { "\($0) is " } ?? "") + "\(given.value): \(teacher.network.name), embeddings of \(teacher.network.embeddingWidth) numbers"
            }
            return named.joined(separator: "; ")
        }
        if preparation.program != nil { return "the program '\(settings[TeacherProgram.setting])', embeddings of \(run.embedding) numbers" }
        let left = leftOver(preparation.counts.teacher, batch: settings.number("TEACHER_BATCH"))
        let rows = settings.teacherMethod.trainsClassifier ? "logits of the classes" : "embeddings of \(run.embedding) numbers"
        return "\(settings["TEACHER_NETWORK"]), trained by \(settings["TEACHER_OBJECTIVE"]) for \(Summary.count(run.teacherEpochs, "epoch")), \(rows)\(left)"
    }

    private var student: String {
        let images = preparation.counts.student, batch = settings.number("BATCH")
        let epochs = "\(Summary.count(run.epochs, "epoch")) of \(Summary.count(max(1, images / batch), "step")) of \(Summary.count(batch, "image"))"
        let method = settings["METHOD"] == SEED.name ? "" : " by \(settings["METHOD"])"
        let begun = preparation.beginning == nil ? "" : ", started from \(settings.beginningFile)", networks = run.students.map(\.network).joined(separator: ", ")
        let together = run.students.count == 1 ? "" : "side by side, "
        return "\(networks)\(method)\(begun), \(together)\(epochs), \(settings["SIZE"])×\(settings["SIZE"])\(leftOver(images, batch: batch))"
    }

    private func describe(_ store: Store) -> String {
        let estimate = preparation.estimate(work), again = store.epochs < run.epochs ? "; epoch \(store.cycle + 1) repeats the views of the first" : ""
        return "the teacher's embeddings of \(Summary.count(store.epochs, "epoch")), about \(Summary.size(estimate.storedBytes(store, epochs: store.epochs)))\(store.isHalf ? " in half precision" : "")\(again)"
    }

    /// A note on the images that augment's --drop-last omits from an epoch.
    private func leftOver(_ images: Int, batch: Int) -> String {
        let rest = images % batch
        return rest == 0 ? "" : "; \(rest) of \(images) images \(rest == 1 ? "is" : "are") left out of each epoch, different ones each time"
    }

    /// A note on stages that another version of the tools has executed.
    private var doneByOtherVersions: [(String, String)] {
        let versions = Set(work.done.values.map(\.version)).subtracting([productVersion])
        guard !versions.isEmpty else { return [] }
        let count = work.done.values.count { $0.version != productVersion }
        return [("note", "\(count) stages were done by version \(versions.sorted().joined(separator: ", ")); this is \(productVersion); remove \(preparation.folder.path)/done to redo everything")]
    }

    /// The reason why finished stages are executed again.
    private var doneAgain: [(String, String)] {
        let again = work.outdated.count
        guard again > 0 else { return [] }
        let changed = settings.changed
        let teacher = switch settings.teacherOrigin {
        case .none, .trained: [String]()
        case .given: [settings.givenTeachers.first?.setting ?? "TEACHER"]
        case .program: [TeacherProgram.setting]
        }
        let files = (preparation.beginning == nil ? [] : [Beginning.setting]) + (preparation.labels?.list == nil ? [] : [LabelChoice.setting])
            + (run.options.keys.contains(where: RecipeFiles.isOne) ? [Crops.setting] : [])
        let all = ["DATA", "TEST"] + teacher + files, sources = "\(all.dropLast().joined(separator: ", ")) or \(all[all.count - 1])"
        let why = changed.isEmpty ? "the content of \(sources) has changed since" : "changed since: \(changed.joined(separator: ", "))"
        return [("note", "\(Summary.count(again, "stage")) from \(work.outdated[0]) on \(again == 1 ? "is" : "are") redone; \(why)")]
    }

    private var toDo: [(String, String)] {
        guard let room else { return [("to do", "nothing: all is done")] }
        var lines = [("to do", names)]
        if let free = room.free {
            let kept = settings.count("KEEP").map { "the latest \($0 == 1 ? "checkpoint of each network is" : "\($0) checkpoints of each network are") kept" }
            lines.append(("disk", "about \(Summary.size(room.disk)) of \(Summary.size(free)) free (\(kept ?? "all checkpoints are kept; KEEP=2 keeps the latest two"))"))
        }
        if let (need, machine) = room.memory { lines.append(("memory", "about \(Summary.size(need)) of this machine's \(Summary.size(machine))")) }
        lines.append(("time", preparation.estimate(work).time(work.stages)))
        return lines
    }

    /// The stages to be executed, with ranges of epochs as "student.3 … student.24".
    private var names: String {
        var parts: [(kind: String, first: String, last: String)] = []
        for stage in work.stages.map(\.name) {
            let name = StageName(stage)
            if let last = parts.last, last.kind == name.kind, stage != name.kind {
                parts[parts.count - 1].last = stage
            } else {
                parts.append((name.kind, stage, stage))
            }
        }
        var named: [String] = []
        for part in parts {
            let text = StageName.judged.contains(part.kind) ? part.kind : part.first == part.last ? part.first : "\(part.first) … \(part.last)"
            if !named.contains(text) { named.append(text) }
        }
        return named.joined(separator: ", ")
    }

    /// A count with its noun: "1 epoch", "24 epochs".
    private static func count(_ number: Int, _ word: String) -> String { "\(number) \(word)\(number == 1 ? "" : "s")" }

    /// A size: "93 MB", "2.2 GB".
    static func size(_ bytes: Int) -> String {
        let value = Double(bytes)
        return value >= 1e9 ? "\(Progress.short(value / 1e9)) GB" : value >= 1e6 ? "\(Progress.short(value / 1e6)) MB" : "\(max(1, bytes / 1000)) kB"
    }
}

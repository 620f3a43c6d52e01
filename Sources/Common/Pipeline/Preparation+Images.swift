import Datasets
import Objectives
import ToolSupport

/// The numbers of images, and remarks on the images.
extension Preparation {
    /// The number of synthetic training images.
    var drawn: Int { option("--train", of: "SYNTHESIZE_OPTIONS") ?? 6000 }

    /// The images in an epoch of the student and of the teacher, without those left out, and the images in an
    /// evaluation.
    var counts: (student: Int, teacher: Int, judged: Int) {
        let tested = settings.isDemonstration ? option("--test", of: "SYNTHESIZE_OPTIONS") ?? 1200 : test?.count ?? 0
        let judged = switch run.judgement {
        case .unlabelled(let share): share.images
        case .halvesOfData: learnt
        case .halvesOfTest: tested
        case .testByData: learnt + tested
        }
        return (settings.count("STEPS").map { $0 * settings.number("BATCH") } ?? distinct, seen(settings.teacherMethod), judged)
    }

    /// The number of images that the student learns from, regardless of the length of an epoch.
    var distinct: Int { seen(settings.method) }
    /// The same for a teacher that is trained.
    var teacherDistinct: Int { seen(settings.teacherMethod) }
    private var learnt: Int { settings.isDemonstration ? drawn : train?.count ?? 0 }
    private func option(_ name: String, of setting: String) -> Int? { ShellWords.value(of: name, in: settings.words(setting)).flatMap { Int($0) } }

    /// The number of images that a method learns from. A method with labels must not see the images it is evaluated on.
    private func seen(_ method: any Objective.Type) -> Int {
        min(option("--limit", of: "FLAGS") ?? .max, method.inputs.labels ? labelled(of: run.judgement == .halvesOfData ? (learnt + 1) / 2 : learnt) : learnt)
    }

    /// The number of images that LABELS selects from `images`.
    private func labelled(of images: Int) -> Int {
        guard let labels else { return images }
        // Synthetic classes have about the same size.
        return labels.count ?? min(images, max(1, Int((Double(images) * (Double(settings[LabelChoice.setting]) ?? 1)).rounded())))
    }

    /// Checks that there are enough images for a batch.
    func checkCounts() throws {
        func check(_ name: String, _ count: Int) throws {
            guard settings.number(name) <= count else {
                throw Failure(.usage, "\(name)=\(settings[name]): there are \(count) images to learn from", remedy: "take \(name)=\(max(1, min(64, count))) or less")
            }
        }
        if settings["SHUFFLE"] == "archives", let train, train.dataset.archiveStarts.count < 2 {
            throw Failure(.usage, path: settings["DATA"], "is not several archives, which SHUFFLE=archives reads one after the other", remedy: "use SHUFFLE=all")
        }
        try Launch.check(settings)
        try Until.check(settings)
        let counts = counts
        try check("BATCH", distinct)
        if settings.trainsTeacher { try check("TEACHER_BATCH", counts.teacher) }
    }

    /// Checks that disk and memory suffice for the remaining stages.
    func checkRoom(_ room: Room) throws {
        if let free = room.free, room.disk >= free {
            throw Failure(
                .cannotCreate, path: folder.path, "needs about \(Summary.size(room.disk)) of disk space, but \(Summary.size(free)) are free",
                remedy: settings.count("KEEP") == nil ? "KEEP=2 keeps the latest two checkpoints" : "free some space, or name another folder with RUNS")
        }
        if let (need, machine) = room.memory, need >= machine {
            throw Failure(
                .usage, path: folder.path, "a step needs about \(Summary.size(need)) of memory, but the machine has \(Summary.size(machine))",
                remedy: "take a smaller BATCH, TEACHER_BATCH or SIZE")
        }
    }

    func estimate(_ work: Work) -> Estimate { Estimate(run: run, folder: folder, images: counts, teachers: teachers.map(\.network), program: program, done: work.done) }

    /// Remarks on the images.
    ///
    /// - Throws: ``Failure`` if too many of them are broken.
    func imageRemarks() throws -> [String] {
        var remarks: [String] = []
        for (name, data) in [("DATA", train), ("TEST", test)] {
            guard let data else { continue }
            let repeated = data.count - Set(data.hashes).count
            if repeated > 0 { remarks.append("\(name): \(repeated) of its \(data.count) images occur more than once") }
            remarks += Preparation.alike(data.classes).map { "\(name): \($0)" }
            guard let first = data.broken.first else { continue }
            guard data.broken.count <= data.count / 100 || settings.words("FLAGS").contains("--allow-bad") else {
                throw Failure(
                    .data, path: settings[name].isEmpty ? settings["DATA"] : settings[name],
                    "\(data.broken.count) of its \(data.count) images are broken, more than 1 %, such as \(data.dataset.location(of: first.index)): \(first.reason)",
                    remedy: "repair them, or give FLAGS=--allow-bad to leave them out")
            }
            remarks.append("\(name): \(data.broken.count) images have a broken header, such as \(data.dataset.location(of: first.index)) (\(first.reason))")
        }
        if let train, let test {
            let shared = test.shared(with: train)
            if shared > 0, judgedByTest { remarks.append("TEST: \(shared) of its \(test.count) images are also in DATA, byte for byte, which makes results look too good") }
        }
        return remarks
    }

    /// A remark on class names that differ only in case and are probably the same class.
    private static func alike(_ classes: [String]) -> [String] {
        let groups = Dictionary(grouping: classes) { $0.lowercased() }.values.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
        guard let first = groups.first else { return [] }
        let names = first.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        let others = groups.count == 1 ? "" : " (\(groups.count - 1) more such groups)"
        return ["the classes \(names) differ only in the case of letters, and count as different classes\(others)"]
    }

    private var judgedByTest: Bool { run.judgement == .testByData }
}

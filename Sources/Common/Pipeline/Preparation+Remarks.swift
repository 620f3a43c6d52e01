import Objectives
import ToolSupport

/// Remarks on settings that are valid but make little sense: one line each, with the effect and a better value.
extension Preparation {
    /// A remark on a new run whose name is similar to that of an existing run, which may have been meant.
    func nameRemarks() -> [String] {
        guard settings.typed.contains("NAME"), !folder.isRun, let name = folder.path.lastPathPart else { return [] }
        let runs = String(folder.path.dropLast(name.count + 1))
        // Short names are always similar, and numbered names are a series.
        func letters(_ name: String) -> String { name.filter { !$0.isNumber } }
        let others = RunFolder.names(in: runs).filter { letters($0) != letters(name) }
        guard name.count > 4, let nearest = Nearest.name(to: name, among: others, within: 2) else { return [] }
        return ["\(name) is a new run, but \(runs)/\(nearest) exists: did you mean NAME=\(nearest)?"]
    }

    func settingRemarks() -> [String] {
        let batches = [("BATCH", counts.student)] + (settings.trainsTeacher ? [("TEACHER_BATCH", counts.teacher)] : [])
        let small = batches.compactMap { name, images -> String? in
            let batch = settings.number(name), groups = Launch.groups(settings)
            if groups > 1, batch / groups < Preparation.smallBatch, batch >= Preparation.smallBatch {
                return "\(Launch.groups)=\(groups): batch norms take their mean and deviation from \(batch / groups) images of \(name)=\(batch), too few to train well; \(Launch.groups)=\(max(1, batch / Preparation.smallBatch)) leaves \(Preparation.smallBatch)"
            }
            guard batch < Preparation.smallBatch else { return nil }
            return "\(name)=\(batch): batch norms take their mean and deviation from \(batch == 1 ? "one image" : "\(batch) images"), too few to train well;"
                + (images < Preparation.smallBatch ? " more images would help" : " \(name)=\(min(64, images)) is usual")
        }
        var unused = settings[TeacherProgram.limit].isEmpty || program != nil ? [] : ["\(TeacherProgram.limit) has no effect without \(TeacherProgram.setting)"]
        if settings.typed.contains(RunSettings.statistics), settings.teacherOrigin == .none { unused.append("\(RunSettings.statistics) has no effect, since \(settings["METHOD"]) learns without a teacher") }
        return small + queueRemarks() + sizeRemarks() + unused + settings.storeRemarks + storeRemarks()
    }

    /// A remark on STORE with STEPS: the stored epochs are parts of the data, and the repeated epochs contain no other
    /// images.
    private func storeRemarks() -> [String] {
        guard let store = settings.store, store.cycle < run.epochs, let steps = settings.count("STEPS") else { return [] }
        let seen = store.cycle * steps * settings.number("BATCH"), images = settings.isDemonstration ? drawn : train?.count ?? 0
        guard seen < images else { return [] }
        return ["\(Store.setting)=\(store.cycle) epochs of STEPS=\(steps) hold \(seen) of the \(images) images, and later epochs see no others; \(Store.setting)=\((images - 1) / (steps * settings.number("BATCH")) + 1) holds all"]
    }

    /// Remarks on prototype counts and similar sizes that are too large for the images, or smaller than in the method's
    /// paper.
    private func sizeRemarks() -> [String] {
        var networks: [(method: any Objective.Type, setting: String, images: Int)] = [(settings.method, "STUDENT_OPTIONS", distinct)]
        if settings.trainsTeacher { networks.append((settings.teacherMethod, "TEACHER_OPTIONS", teacherDistinct)) }
        return networks.flatMap { network in
            network.method.sizedOptions.compactMap { size in
                let option = "--\(size.name)"
                // QUEUE has its own remarks.
                if size.isQueue, settings.count("QUEUE") != nil { return nil }
                let given = ShellWords.value(of: option, in: settings.words(network.setting)).flatMap { Int($0) }
                return size.remark(given: given, images: network.images, as: size.isQueue ? "QUEUE" : "\(network.setting): \(option)").map { "\(network.method.name): \($0)" }
            }
        }
    }

    /// Remarks on a queue that is too small for a batch or too large for the images.
    private func queueRemarks() -> [String] {
        guard let queue = settings.count("QUEUE"), settings.method.hasQueue, ShellWords.value(of: "--loss", in: settings.words("STUDENT_OPTIONS")) == nil else { return [] }
        let batch = settings.number("BATCH"), images = distinct, epoch = counts.student / batch * batch, all = epoch * run.epochs
        let usual = "QUEUE= takes \(settings.method.usualQueue(images: images))"
        if queue < batch { return ["QUEUE=\(queue) is less than BATCH=\(batch): only the last \(queue) embeddings of each batch enter the queue; \(usual)"] }
        if queue > all {
            return ["QUEUE=\(queue) is more than the \(all) embeddings that enter it in \(run.epochs == 1 ? "the one epoch" : "all \(run.epochs) epochs"): the rest stay random; \(usual)"]
        }
        if queue > images { return ["QUEUE=\(queue) is more than the \(images) images: each is in the queue more than once, even those of the current step; \(usual)"] }
        return []
    }

    /// A remark on a learning rate that differs from the usual one by a factor of ten or more.
    func rateRemark(_ setting: Setting, usual: String, epochs: Int) -> String? {
        let batch = settings.number(setting.name == "STUDENT_OPTIONS" ? "BATCH" : "TEACHER_BATCH")
        guard let given = Preparation.rate(settings.words(setting.name), batch: batch), let expected = Preparation.rate(ShellWords.split(usual) ?? [], batch: batch) else { return nil }
        guard given.rate >= 10 * expected.rate || given.rate * 10 <= expected.rate else { return nil }
        let isLarge = given.rate > expected.rate, times = isLarge ? given.rate / expected.rate : expected.rate / given.rate
        return "\(setting.name): \(given.option) is \(Progress.short(times)) times \(isLarge ? "" : "less than ")the usual \(Progress.short(expected.rate)) for batches of \(batch), "
            + (isLarge ? "and training may diverge" : "and little will be learnt in \(epochs) epoch\(epochs == 1 ? "" : "s")") + "; --learning-rate \(Progress.short(expected.rate)) is usual"
    }

    /// The peak rate that the options give for batches of `batch`, as train-step takes them.
    ///
    /// It is nil if they give none, or use SEED's schedule, whose rate has another scale.
    private static func rate(_ words: [String], batch: Int) -> (option: String, rate: Double)? {
        guard let schedule = ShellWords.value(of: "--schedule", in: words), schedule != "seed" else { return nil }
        for (option, scale) in [("--base-learning-rate", (Double(batch) / 256).squareRoot()), ("--learning-rate", 1)] {
            guard let text = ShellWords.value(of: option, in: words) else { continue }
            guard let rate = Double(text), rate > 0 else { return nil }
            return ("\(option) \(text)", rate * scale)
        }
        return nil
    }

    /// Smaller batches get a remark.
    private static let smallBatch = 16
}

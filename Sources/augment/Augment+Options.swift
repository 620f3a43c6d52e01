public import ArgumentParser
public import Datasets
import Images
import TensorStreams
import ToolSupport

extension Shard: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
    public var defaultValueDescription: String { "\(number)/\(count)" }
}

/// A range of crop scales, written "0.2,1".
struct CropScale: ExpressibleByArgument {
    let range: ClosedRange<Double>

    init(_ range: ClosedRange<Double>) { self.range = range }

    init?(argument: String) {
        let numbers = argument.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        guard numbers.count == 2, let low = numbers[0], let high = numbers[1], low >= 1e-4, low <= high, high <= 1 else { return nil }
        range = low...high
    }

    var defaultValueDescription: String { "\(range.lowerBound),\(range.upperBound)" }
}

/// The unit of shuffling.
enum Shuffle: String, ExpressibleByArgument, CaseIterable {
    case all, archives
}

extension Augment {
    /// The maximum size of a record that readers accept, with some space for the rest.
    static let recordLimit = Limits.standard.documentBytes - (16 << 20)
    /// The order of an epoch is kept in memory.
    static let mostImages = 1 << 30

    func checkRanges() throws {
        try checkOption("--views", views, in: 1...CropGroup.viewLimit)
        try checkOption("--size", size, in: 1...CropGroup.sizeLimit)
        try checkOption("--batch", batch, in: 1...1_000_000)
        try checkOption("--epoch", epoch, in: 0...1_000_000_000)
        try checkOption("--epochs", epochs, in: 1...1_000_000)
        try checkOption("--repeat", cycle, in: 1...1_000_000_000)
        try checkOption("--slice-groups", sliceGroups, in: 1...1 << 20)
        if sliceGroups != nil, slice == nil { throw ValidationError("--slice-groups is only for --slice; leave it out") }
        if slice != nil {
            guard dropLast || steps != nil else { throw ValidationError("--slice needs all batches to be full; add --drop-last") }
            if let (option, _) = [("--preview", preview != nil), ("--list", list)].first(where: { $0.1 }) { throw ValidationError("--slice is for a stream; leave out \(option)") }
        }
        try checkOption("--limit", limit, in: 1...Int.max)
        try checkOption("--steps", steps, in: 1...max(1, Augment.mostImages / batch))
        if steps != nil, dropLast { throw ValidationError("--drop-last has no effect with --steps, whose batches are all full; leave it out") }
        if let labelsFraction, !(labelsFraction > 0 && labelsFraction <= 1) { throw ValidationError("--labels-fraction takes a share above 0, up to 1, found \(labelsFraction)") }
        if labelsFraction != nil, labelsList != nil { throw ValidationError("--labels-fraction and --labels-list both choose images; give one of them") }
        try checkOption("--level", level, in: -7...19)
        if split == "" { throw ValidationError("--split is empty; name a folder such as train") }
        if report == OutputFile.standard { throw ValidationError("--report takes a file, found '-'; standard output carries the stream") }
        let outputs: KeyValuePairs = ["-o": output, "--timing": common.timing, "--report": report, "--preview": preview]
        try checkFiles(outputs: outputs, inputs: ["--data": data, "--class-list": classList, "--labels-list": labelsList, "--bags": bags])
        for recipe in recipeNames where Recipe.isFile(recipe) { try checkFiles(outputs: outputs, inputs: ["a recipe": recipe]) }
        if showRecipe != nil {
            guard data == nil, preview == nil else { throw ValidationError("--show-recipe prints a recipe and reads no images; leave out \(data == nil ? "--preview" : "--data")") }
        } else if data == nil {
            throw ValidationError("missing --data: name a folder or an archive")
        }
        if let preview {
            if preview == OutputFile.standard { throw ValidationError("--preview takes a file, found '-'") }
            guard [".jpg", ".jpeg", ".png"].contains(where: preview.lowercased().hasSuffix) else { throw ValidationError("--preview takes a file that ends in .jpg or .png, found '\(preview)'") }
            let named: [(String, Bool)] = [
                ("-o", output != OutputFile.standard), ("--report", report != nil), ("--level", level != nil), ("--timing", common.timing != nil), ("--drop-last", dropLast),
                ("--allow-bad", allowBad), ("--epochs", epochs != 1), ("--paths", paths),
            ]
            if let (option, _) = named.first(where: { $0.1 }) { throw ValidationError("--preview writes a sheet and no stream; leave out \(option)") }
        }
        if list {
            let others: [(String, Bool)] = [("--preview", preview != nil), ("--report", report != nil), ("--timing", common.timing != nil), ("--level", level != nil), ("--epochs", epochs != 1), ("--paths", paths)]
            if let (option, _) = others.first(where: { $0.1 }) { throw ValidationError("--list only lists images and writes no stream; leave out \(option)") }
        }
        if bags != nil {
            let others: [(String, Bool)] = [("--views", views != nil), ("--crops", crops != nil), ("--mix-up", mixUp), ("--preview", preview != nil)]
            if let (option, _) = others.first(where: { $0.1 }) { throw ValidationError("--bags sets the views and how they are mixed; leave out \(option)") }
        }
        if !resume.isEmpty {
            let others: [(String, Bool)] = [("--epochs", epochs != 1), ("--preview", preview != nil), ("--list", list)]
            if let (option, _) = others.first(where: { $0.1 }) { throw ValidationError("--resume resumes one epoch; leave out \(option)") }
        }
        if mixUp, batch < 2 { throw ValidationError("--mix-up mixes the images of a batch with each other, which takes --batch 2 or more, found \(batch)") }
        if mixUp, preview != nil { throw ValidationError("--preview shows views before they are mixed; leave out --mix-up") }
        try checkCrops()
    }

    /// The images that are selected by their labels; nil for all.
    var labels: LabelSubset? {
        get throws { try labelsFraction.map { .fraction($0, seed: seed) } ?? labelsList.map(LabelSubset.list) }
    }

    /// The plan of each epoch; views without random numbers come in the order of the data.
    func plan(_ dataset: Dataset, _ subset: [Int]?, _ groups: [CropGroup], of data: String) throws -> EpochPlan {
        let shard = try shard.shard()
        let plan = EpochPlan(
            samples: dataset.samples.count, fold: fold, subset: subset, limit: limit, shard: shard, batch: batch, dropLast: dropLast,
            seed: groups.contains { $0.recipe.isRandom } ? seed : nil, archives: shuffle == .archives ? dataset.archiveStarts : nil, steps: steps)
        let part = (fold.count > 1 ? " in fold \(fold.defaultValueDescription)" : "") + (shard.count > 1 ? " in shard \(shard.defaultValueDescription)" : "")
        if shuffle == .archives {
            guard plan.seed != nil else { throw Failure(.usage, "--shuffle archives has no effect with a recipe that keeps the images in order", remedy: "leave it out") }
            guard dataset.archiveStarts.count > 1 else { throw Failure(.usage, path: data, "does not hold several archives to read one after the other", remedy: "leave out --shuffle archives") }
        }
        // With more shards than batches some shards are empty, which is not an error of the process for such a shard.
        var whole = plan
        if steps == nil { whole.shard = Shard(1, of: 1) }
        guard whole.pass > 0 else { throw Failure(.usage, path: data, "there are no images\(part) of \(dataset.samples.count)", remedy: "use fewer parts") }
        guard whole.batches > 0 else {
            throw Failure(.usage, path: data, "\(plan.images) images\(part) do not fill a batch of \(batch)", remedy: "use a smaller --batch, or leave out --drop-last")
        }
        return plan
    }

    /// The training position after an image: "pass 0, 00017.tar, image 312"; nil unless images are taken archive by
    /// archive.
    func position(_ plan: EpochPlan, _ dataset: Dataset, epoch: Int, place: Int, _ order: [Int]) -> String? {
        plan.position(epoch: epoch, place: place).map { "pass \($0.pass), \(dataset.source(of: order[place])), image \($0.seen)" }
    }

    /// The number of images in the stream, if none is broken.
    func images(_ plan: EpochPlan) -> Int {
        epochs * (plan.dropLast ? plan.batches * plan.batch : plan.images)
    }

    func header(_ dataset: Dataset, _ plan: EpochPlan, _ groups: [CropGroup], from first: Int, _ slice: BatchSlice?, _ chosen: [Int]?) throws -> StreamHeader {
        var metadata = [
            "classes": JSON.array(dataset.classes.map { .string($0) }).text,
            "samples": "\(plan.chosen)",
            "batch": "\(batch)",
            "records": "\(epochs * plan.batches)",
            "images": "\(images(plan))",
            "epoch": "\(epoch)",
            "epochs": "\(epochs)",
        ]
        metadata[StreamHeader.firstBatch] = first > 0 ? "\(first)" : nil
        metadata["shuffle"] = shuffle == .archives ? shuffle.rawValue : nil
        // With consecutive passes, shards are separate sets, and no process has the whole.
        let shard = steps == nil ? StreamShard(plan.shard.number, of: plan.shard.count) : nil
        for more in [slice?.metadata, shard?.metadata, describe(groups)].compactMap(\.self) { metadata.merge(more) { first, _ in first } }
        metadata[StreamHeader.brokenLimit] = brokenLimit(plan).map { "\($0)" }
        var header = StreamHeader(provenance: Provenance().adding(Augment.self), metadata: metadata)
        header.beginSources(dataset.contentHash, choice: try choiceHash(chosen))
        return header
    }

    /// A hash of the selection and of the bags; nil where all images are used without bags.
    ///
    /// - Parameter chosen: the images selected by their labels; nil for all.
    private func choiceHash(_ chosen: [Int]?) throws -> String? {
        guard chosen != nil || bags != nil else { return nil }
        return try XXH64.text(of: (chosen.map { "\($0)" } ?? "") + (bags.map(XXH64.ofFile) ?? ""))
    }

    /// The number of images of an epoch that may be broken; nil for any number.
    func brokenLimit(_ plan: EpochPlan) -> Int? { allowBad ? nil : max(plan.images, plan.steps == nil ? plan.chosen : plan.pass) / 100 }

    func remark(_ dataset: Dataset, _ broken: BrokenImages) -> String {
        var parts = [dataset.classes.isEmpty ? "no classes" : dataset.classes.count == 1 ? "1 class" : "\(dataset.classes.count) classes"]
        if let split = dataset.split { parts.append("split \(split)" + (dataset.splits.count > 1 ? " of " + dataset.splits.joined(separator: ", ") : "")) }
        if dataset.unlabelled > 0 { parts.append("\(dataset.unlabelled) without a label beside the class folders") }
        if broken.count > 0 { parts.append("\(broken.count) broken, left out") }
        if !dataset.passedOver.isEmpty { parts.append("skipped: " + dataset.passedOver.map(\.summary).joined(separator: ", ")) }
        return parts.joined(separator: "; ")
    }
}

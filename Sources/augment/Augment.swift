import ArgumentParser
import Datasets
import Images
import Parallel
import TensorStreams
import ToolSupport

/// Makes views of the images of a data set.
@main
struct Augment: Tool {
    static let configuration = CommandConfiguration(
        commandName: "augment",
        abstract: "Read JPEG images and write batches of views of them as a tensor stream.",
        discussion: """
            DATA is a folder, a folder of archives, or one archive: tar or zip, compressed or not. Each record has 'images' u8 \
            [N,V,H,W,3], 'index' i64 [N] and 'label' i32 [N]; with --crops of several groups also 'images.1' and so on.

            An image's class is the first folder on its path: cats/7.jpg and cats/persian/7.jpg are cats. An image in no folder has \
            the label -1. Folders named train, val, valid, validation or test are splits, not classes: --split selects the one to \
            read; the default is train if it exists. A single folder that contains all others is not a class. Hidden files and \
            folders, and archives beside folders of images, are skipped; the closing line reports them.

            A view depends only on the seed, the epoch and the image's number, and has the bytes that torchvision produces with \
            Pillow. An image that Pillow refuses is broken: it is left out of its batch, which is then shorter. Memory: two batches, \
            10 bytes per thread for every pixel of the largest image, and the images of a compressed archive, at most 2 GiB.

            Example:
              augment --data train.tar --size 64 --epochs 2 -o train.tensors.zst
              augment --data test.tar --size 64 --recipe evaluation -o test.tensors.zst
              augment --data train.tar --recipe swav --crops '2x224@0.14-1 6x96@0.05-0.14' --preview sheet.jpg

            See also: synthesize (images to try with), neighbours, embed, inspect
            """,
        version: productVersion)

    @Option(help: "The images: a folder or an archive.")
    var data: String?
    @Option(help: "The split to read, if the data has splits: train, val, test (default: train).")
    var split: String?
    @Option(help: ArgumentHelp("A list of classes, one per line: a folder with such a name is a class even if it is the only folder.", valueName: "file"))
    var classList: String?
    @Option(
        help: "How views are made: \(Augment.recipeNames), or a JSON file such as ./mine.json. Evaluation recipes keep the data's order, the others shuffle it.",
        completion: .list(Recipe.all.map(\.name)))
    var recipe = Recipe.mocoV2.name
    @Option(parsing: .unconditional, help: "Views per image (default: 1).")
    var views: Int?
    @Option(parsing: .unconditional, help: "Width and height of a view (default: 224).")
    var size: Int?
    @Option(help: "The least and greatest share of an image that a random crop takes (default: the recipe's; for moco-v2 0.2,1).")
    var cropScale: CropScale?
    @Option(help: ArgumentHelp(
        "Groups of views, in place of --views, --size and --crop-scale: views x size @ share of the image, optionally with a recipe of their own, such as '2x224@0.14-1 6x96@0.05-0.14:swav-small'.",
        valueName: "groups"))
    var crops: String?
    @Option(help: ArgumentHelp("""
        For BINGO: the file that neighbours wrote for the same data. 'images' then holds a view of the image, a view of another image of its bag and a CutMix of the two, \
        'images.1' one more view of each of the two images, and the record's metadata 'mix' the share of the first image in the mix.
        """, valueName: "file"))
    var bags: String?
    @Flag(help: "Mix each image of a batch with another image of the batch (MixUp), by a share that is drawn for the batch and recorded as 'mix' in the record's metadata. Labels do not change.")
    var mixUp = false
    @Option(help: ArgumentHelp("Change a parameter of the recipe, such as blur.probability=0.2 or crop.scale=0.1,1 (repeatable).", valueName: "parameter=value"))
    var set: [String] = []
    @Option(help: ArgumentHelp("Print this recipe as JSON, with the changes of --set, and do nothing else.", valueName: "recipe"))
    var showRecipe: String?
    @Option(help: ArgumentHelp("Instead of a stream, write a sheet, .jpg or .png, with views of --limit images of the epoch (default: 8) and how each was made.", valueName: "file"))
    var preview: String?
    @Flag(help: "Print the images that the stream would contain, in order, one per line (number, label, class and path, separated by tabs), and do nothing else.")
    var list = false
    @Option(parsing: .unconditional, help: "The first epoch, counted from 0.")
    var epoch = 0
    @Option(help: ArgumentHelp(
        "Skip the batches that this interim checkpoint of train-step has done, if it exists (repeatable: the one that has done least counts).", valueName: "file"))
    var resume: [String] = []
    @Option(parsing: .unconditional, help: "Number of epochs, one after the other.")
    var epochs = 1
    @Option(name: .customLong("repeat"), parsing: .unconditional, help: ArgumentHelp(
        "Draw epoch E as epoch E modulo this number, so that the same views recur after that many epochs (embed --stored gives a teacher's rows of them).", valueName: "epochs"))
    var cycle: Int?
    @Option(help: "The seed of the order and the views.")
    var seed: UInt64 = 0
    @Option(parsing: .unconditional, help: "Images per record.")
    var batch = 256
    @Flag(help: "Leave out the last batch of an epoch if it is not full.")
    var dropLast = false
    @Option(parsing: .unconditional, help: ArgumentHelp(
        "Batches in an epoch, which is then a section of endlessly repeated passes over the data (default: an epoch is one pass).", valueName: "n"))
    var steps: Int?
    @Option(help: ArgumentHelp(
        "all: shuffle all images; archives: read the archives of a folder one after the other in random order, the images of each in random order.", valueName: "what"))
    var shuffle = Shuffle.all
    @Option(help: ArgumentHelp("""
        Make only part I of N of each epoch, in whole batches, for merge-shards to join; auto: by the number that Slurm gave this task of an array, or mpirun or srun this process.
        """, valueName: "I/N"))
    var shard = ShardOption.part(Shard(1, of: 1))
    @Option(help: ArgumentHelp("""
        Make only part I of N of each batch, for rank I of N that train together (train-step --mpi); auto: by the number that mpirun or srun gave this process. Each rank knows \
        the whole batch, so together the ranks have what one process would have.
        """, valueName: "I/N"))
    var slice: SliceOption?
    @Option(parsing: .unconditional, help: "With --slice: groups that a batch is cut into; each part has some of them (default: N).")
    var sliceGroups: Int?
    @Option(help: "Use only every Nth image of the data, starting with the Ith, as I/N: 1/2 to train on and 2/2 to evaluate on.")
    var fold = Shard(1, of: 1)
    @Option(parsing: .unconditional, help: ArgumentHelp(
        "Use only this share of each class's images, above 0 to 1, at least one per class, drawn by --seed; the images of 0.01 are among those of 0.1.", valueName: "share"))
    var labelsFraction: Double?
    @Option(help: ArgumentHelp(
        "Use only the images that this file names, one per line: n01440764_10183.JPEG, as in SimCLR's lists, or class/name.jpg.", valueName: "file"))
    var labelsList: String?
    @Option(parsing: .unconditional, help: "Use only this many images, spread evenly over the data, the same in all epochs.")
    var limit: Int?
    @Flag(help: "Add the images' paths in the data: 'path' u8 [N, L], padded with zeros (NumPy's S).")
    var paths = false
    @Flag(help: "Continue if more than 1 % of the images are broken.")
    var allowBad = false
    @Option(parsing: .unconditional, help: "The zstd level of the output, -7 to 19 (default: -1 to a pipe, 3 to a file).")
    var level: Int?
    @Option(help: ArgumentHelp("Write what was read, broken and skipped to this file as JSON.", valueName: "file"))
    var report: String?
    @Option(name: .shortAndLong, help: "The stream to write; - is standard output.")
    var output = OutputFile.standard
    @OptionGroup var common: TimedOptions

    func validate() throws { try checkRanges() }

    func run() throws {
        if let showRecipe { return try print(shownRecipe(showRecipe)) }
        guard let data else { throw Failure(.software, "has no data") }
        try common.start()
        for file in [report, preview] { if let file { try OutputFile.check(file) } }
        let groups = try groups()
        try check(groups)
        let dataset = try Dataset(data, split: split, classes: classList.map(ClassList.read) ?? [])
        let chosen = try labels.map { try $0.choose(dataset, fold: fold) }
        if let remark = chosen?.remark, !common.quiet { Self.log(remark) }
        let plan = try plan(dataset, chosen?.images, groups, of: data)
        if list { return try print(ImageList(dataset, plan.all).text) }
        if let preview { return try writePreview(preview, dataset, plan, groups) }
        let part = try slice?.slice(groups: sliceGroups, batch: batch), own = part?.places(in: batch)
        let renderer = try BatchRenderer(dataset, groups, mixing: mixing(dataset, plan), seed: seed, addsPaths: paths)
        let first = try firstBatch(plan)
        let writer = try WriteBehind(output, header: header(dataset, plan, groups, from: first, part, chosen?.images), level: level)
        var progress = Progress(tool: "augment", unit: "images", total: max(0, images(plan) - first * batch) * (own?.count ?? batch) / batch, common)
        var broken = BrokenImages(allowed: brokenLimit(plan), data: data)
        var read = Report(dataset)
        for epoch in epoch..<epoch + epochs {
            let order = plan.order(epoch: drawn(epoch))
            broken.begin(epoch: epoch)
            for step in first..<plan.batches {
                let range = plan.range(step), last = range.upperBound - 1, passes = range.map { plan.pass(epoch: drawn(epoch), place: $0) }
                let position = position(plan, dataset, epoch: drawn(epoch), place: last, order)
                let here = own ?? 0..<range.count
                let batch = try renderer.render(order[range], part: here, passes: passes, epoch: epoch, drawnAs: drawn(epoch), step: plan.firstBatch + step, position: position)
                for message in try broken.add(batch.broken) {
                    progress.clear()
                    Self.log(message)
                }
                read.add(order[range.lowerBound + here.lowerBound..<range.lowerBound + here.upperBound])
                if let record = batch.record {
                    try writer.write(record)
                } else if let part {
                    throw Failure(.data, path: data, "all \(here.count) images of rank \(part.rank) are broken in batch \(step) of epoch \(epoch)", remedy: "remove them from the data, or train on fewer ranks, each of which has more of a batch")
                }
                progress.add(here.count)
            }
        }
        try writer.commit()
        if let report { try read.write(report, broken, from: first, part) }
        try progress.finish(remark(dataset, broken))
    }

    /// The batch to start with.
    private func firstBatch(_ plan: EpochPlan) throws -> Int {
        try resume.map { path in
            let interim = InterimCheckpoint(path), done = try interim.batch()
            guard done < plan.batches else {
                throw Failure(.data, path: interim.newest, "has done \(done) batches of an epoch that has \(plan.batches) here", remedy: "it belongs to another stream; remove it, or give the options that it was made with")
            }
            return done
        }.min() ?? 0
    }

    /// The epoch that determines the order and views of `epoch`.
    private func drawn(_ epoch: Int) -> Int { cycle.map { epoch % $0 } ?? epoch }

    private func mixing(_ dataset: Dataset, _ plan: EpochPlan) throws -> Mixing {
        if let bags { return .bags(try Bags(bags, samples: dataset.samples.count, chosen: plan.all)) }
        return mixUp ? .mixUp : .none
    }

    private func print(_ text: String) throws { try OutputFile.write(text, to: output) }

    private func print(_ text: [UInt8]) throws { try unsafe OutputFile.write(text.span.bytes, to: output) }

    private func writePreview(_ path: String, _ dataset: Dataset, _ plan: EpochPlan, _ groups: [CropGroup]) throws {
        var sheet = Preview(groups)
        let renderer = try ViewRenderer()
        for (place, index) in plan.order(epoch: drawn(epoch)).prefix(limit ?? Preview.usualRows).enumerated() {
            do {
                try sheet.add(index, of: dataset, seed: seed, epoch: plan.pass(epoch: drawn(epoch), place: place), on: renderer)
            } catch let failure as Failure where failure.kind == .data {
                Self.log("\(failure); left out")
            }
        }
        try sheet.write(to: path)
        if !common.quiet { Self.log("\(sheet.rows) images in \(groups.reduce(0) { $0 + $1.views }) views") }
    }
}

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
        abstract: "Reads JPEG images and writes batches of views of them as a tensor stream.",
        discussion: """
            DATA is a folder, a folder of archives, or one archive: tar or zip, compressed or not. Each record has 'images' u8 \
            [N,V,H,W,3], 'index' i64 [N] and 'label' i32 [N]; with --crops of several groups also 'images.1' and so on.

            An image's class is the first folder on its path: cats/7.jpg and cats/persian/7.jpg are cats. An image that lies in no \
            folder has the label -1. Folders named train, val, valid, validation or test are splits and not classes: --split names \
            the one to read, else it is train, if it is there. A single folder around all others is passed through. Hidden files and \
            folders, and archives beside folders of images, are passed over; the closing line tells what was.

            A view depends on the seed, the epoch and the image's number alone, and has the bytes that torchvision \
            gives with Pillow. An image that Pillow refuses is broken and left out of its batch, which is shorter then. Memory: two \
            batches, 10 bytes a thread for every pixel of the largest image, and what a compressed archive holds, 2 GiB at most.

            Example:
              augment --data train.tar --size 64 --epochs 2 -o train.tensors.zst
              augment --data test.tar --size 64 --recipe evaluation -o test.tensors.zst
              augment --data train.tar --recipe swav --crops '2x224@0.14-1 6x96@0.05-0.14' --preview sheet.jpg

            See also: synthesize (images to try with), neighbours, embed, inspect
            """,
        version: productVersion)

    @Option(help: "The images: a folder or an archive.")
    var data: String?
    @Option(help: "The split to read, where there are splits: train, val, test (default: train).")
    var split: String?
    @Option(help: ArgumentHelp("A list of classes, one a line: a folder of such a name is a class even where it is the only one.", valueName: "file"))
    var classList: String?
    @Option(
        help: "How views are made: \(Augment.recipeNames), or a JSON file, ./mine.json. Those of evaluation come in the data's order, others in a random one.",
        completion: .list(Recipe.all.map(\.name)))
    var recipe = Recipe.mocoV2.name
    @Option(parsing: .unconditional, help: "Views of each image (default: 1).")
    var views: Int?
    @Option(parsing: .unconditional, help: "Width and height of a view (default: 224).")
    var size: Int?
    @Option(help: "The share of an image that a random crop takes, least and greatest (default: the recipe's; of moco-v2 0.2,1).")
    var cropScale: CropScale?
    @Option(help: ArgumentHelp(
        "Groups of views in place of the three: views x size @ share of the image, and perhaps a recipe of their own, as '2x224@0.14-1 6x96@0.05-0.14:swav-small'.",
        valueName: "groups"))
    var crops: String?
    @Option(help: ArgumentHelp("""
        For BINGO: what neighbours has written of the same data. 'images' then has a view of the image, one of another of its bag and a CutMix of the two, 'images.1' \
        one more view of each, and a record's metadata 'mix' the share of the first in the mix.
        """, valueName: "file"))
    var bags: String?
    @Flag(help: "Mix each image of a batch with another one of it by a share that is drawn for the batch (MixUp), which a record's metadata 'mix' says. The labels stay.")
    var mixUp = false
    @Option(help: ArgumentHelp("Another value of one of the recipe's parameters, such as blur.probability=0.2 or crop.scale=0.1,1; may be given again.", valueName: "parameter=value"))
    var set: [String] = []
    @Option(help: ArgumentHelp("Print this recipe as JSON, with what --set changes, and do nothing else.", valueName: "recipe"))
    var showRecipe: String?
    @Option(help: ArgumentHelp("Write a sheet, .jpg or .png, with views of --limit images of the epoch (default: 8) and how each was made, in place of a stream.", valueName: "file"))
    var preview: String?
    @Flag(help: "Print the images that a stream would be of, a line each in their order: number, label, class and path with tabs between, and do nothing else.")
    var list = false
    @Option(parsing: .unconditional, help: "The first epoch, from 0.")
    var epoch = 0
    @Option(help: ArgumentHelp(
        "Leave out the batches that are done in this interim checkpoint of train-step, where there is one; may be given again, for the one that has done least.", valueName: "file"))
    var resume: [String] = []
    @Option(parsing: .unconditional, help: "How many epochs, one after the other.")
    var epochs = 1
    @Option(name: .customLong("repeat"), parsing: .unconditional, help: ArgumentHelp(
        "Draw epoch E as epoch E modulo this, so that the same views come again after so many epochs (embed --stored gives a teacher's rows of them).", valueName: "epochs"))
    var cycle: Int?
    @Option(help: "The number that order and views depend on.")
    var seed: UInt64 = 0
    @Option(parsing: .unconditional, help: "Images in a record.")
    var batch = 256
    @Flag(help: "Leave out the last batch of an epoch if it is not full.")
    var dropLast = false
    @Option(parsing: .unconditional, help: ArgumentHelp(
        "Batches of an epoch that is a part of passes over the data, which follow one another without end (default: an epoch is one pass).", valueName: "n"))
    var steps: Int?
    @Option(help: ArgumentHelp(
        "all: shuffle all images; archives: take the archives of a folder one after the other in a random order, the images of each in a random order.", valueName: "what"))
    var shuffle = Shuffle.all
    @Option(help: ArgumentHelp("""
        Only part I of N of each epoch, whole batches of it, for merge-shards to put together; auto: as Slurm has numbered this task of an array, or mpirun or srun this process.
        """, valueName: "I/N"))
    var shard = ShardOption.part(Shard(1, of: 1))
    @Option(help: ArgumentHelp("""
        Only part I of N of each batch, for rank I of N that train together (train-step --mpi); auto: as mpirun or srun has numbered this process. All of a batch is known, \
        so what the ranks have together is what one process would.
        """, valueName: "I/N"))
    var slice: SliceOption?
    @Option(parsing: .unconditional, help: "With --slice: groups that a batch is cut into, of which a part has some (default: N).")
    var sliceGroups: Int?
    @Option(help: "Only every Nth image of the data, from the Ith, as I/N: 1/2 to learn from and 2/2 to be judged by.")
    var fold = Shard(1, of: 1)
    @Option(parsing: .unconditional, help: ArgumentHelp(
        "Only so large a share of the images of each class, above 0 to 1, at least one of each, drawn by --seed: 0.01 is a part of 0.1.", valueName: "share"))
    var labelsFraction: Double?
    @Option(help: ArgumentHelp(
        "Only the images that this file names, one a line: n01440764_10183.JPEG, as in SimCLR's lists, or class/name.jpg.", valueName: "file"))
    var labelsList: String?
    @Option(parsing: .unconditional, help: "Only so many images, spread evenly over the data, the same in all epochs.")
    var limit: Int?
    @Flag(help: "Add the images' paths in the data: 'path' u8 [N, L], each with zeros behind it, which is NumPy's S.")
    var paths = false
    @Flag(help: "Go on when more than 1 % of the images are broken.")
    var allowBad = false
    @Option(parsing: .unconditional, help: "zstd's level, -7 to 19 (default: 3 to a file, -1 to a pipe).")
    var level: Int?
    @Option(help: ArgumentHelp("Write what was read, was broken and was passed over to this file as JSON.", valueName: "file"))
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
                throw Failure(.data, path: interim.newest, "has done \(done) batches of an epoch, which has \(plan.batches) here", remedy: "it is of another stream; remove it, or give the options that it was made with")
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

import ArgumentParser
import Parallel
import Synthesis
import ToolSupport

/// Draws images with labels, so that everything else can be tried without data.
@main
struct Synthesize: Tool {
    static let configuration = CommandConfiguration(
        commandName: "synthesize",
        abstract: "Draws a labelled set of JPEG images into tar files.",
        discussion: """
            A class is a silhouette on a ground ("ring-stripes"). Place, size, turn, number and colours of the \
            objects, the ground's colours, scale and angle, shades and clutter vary within a class, so that pixels \
            and colours tell little.

            FOLDER/train/train-000.tar … and FOLDER/test/test-000.tar … have the members CLASS/NUMBER.jpg. \
            FOLDER/classes.txt has the classes. FOLDER appears when all of it is there; an earlier set of as many files is \
            replaced at once.

            Example:
              synthesize -o shapes --sheet shapes.jpg
              augment --data shapes/train --size 48 -o views.tensors.zst

            See also: augment, inspect
            """,
        version: productVersion)

    @Option(name: .shortAndLong, help: "The folder to make; its parent must exist.")
    var output: String?
    @Option(help: "Classes, 2 to \(ImageClass.limit).")
    var classes = 24
    @Option(help: "Training images.")
    var train = 6000
    @Option(help: "Test images, none of which is among the training images.")
    var test = 1200
    @Option(help: "Width and height of an image, 16 to 512.")
    var size = 64
    @Option(help: "Tar files of each split, 1 to 200.")
    var shards = 4
    @Option(help: "The number all images depend on.")
    var seed: UInt64 = 0
    @Option(help: "A JPEG file to draw a contact sheet into: a row of \(Self.columns) images for each class, in the order of classes.txt.")
    var sheet: String?
    @OptionGroup var common: TimedOptions

    static let columns = 12

    func validate() throws {
        guard output != nil || sheet != nil else { throw ValidationError("missing -o FOLDER (or --sheet FILE)") }
        try checkFiles(outputs: ["-o": output, "--sheet": sheet, "--timing": common.timing])
        if output == OutputFile.standard { throw ValidationError("-o takes a folder, found '\(output ?? "")'") }
        try checkOption("--classes", classes, in: 2...ImageClass.limit)
        try checkOption("--train", train, in: 1...100_000_000)
        try checkOption("--test", test, in: 1...100_000_000)
        try checkOption("--size", size, in: 16...512)
        try checkOption("--shards", shards, in: 1...200)
        if shards > min(train, test) { throw ValidationError("--shards \(shards) would leave a file empty; --train is \(train), --test \(test)") }
    }

    func run() throws {
        try common.start()
        let set = ImageSet(classes: classes, size: size, seed: seed)
        if let sheet { try set.writeSheet(sheet, columns: Self.columns) }
        guard let output else { return }
        var progress = Progress(tool: "synthesize", unit: "images", total: train + test, common)
        do {
            try SetFolder(output, set, shards: shards).write(train: train, test: test) { progress.add($0) }
        } catch {
            progress.clear()
            throw error
        }
        try progress.finish("\(train) to train and \(test) to test in \(classes) classes")
    }
}

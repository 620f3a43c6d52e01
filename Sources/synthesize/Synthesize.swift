import ArgumentParser
import Parallel
import Synthesis
import ToolSupport

/// Draws images with labels, so that everything else can be tried without data.
@main
struct Synthesize: Tool {
    static let configuration = CommandConfiguration(
        commandName: "synthesize",
        abstract: "Draw a labelled set of JPEG images into tar files.",
        discussion: """
            A class is a silhouette on a patterned background ("ring-stripes"). The position, size, rotation, number and \
            colours of the objects, the background's colours, scale and angle, shades and clutter vary within a class, so \
            that pixels and colours reveal little.

            FOLDER/train/train-000.tar … and FOLDER/test/test-000.tar … have the members CLASS/NUMBER.jpg. \
            FOLDER/classes.txt lists the classes. FOLDER appears only when it is complete; it replaces an earlier set with \
            the same number of files in one step.

            Example:
              synthesize -o shapes --sheet shapes.jpg
              augment --data shapes/train --size 48 -o views.tensors.zst

            See also: augment, inspect
            """,
        version: productVersion)

    @Option(name: .shortAndLong, help: "The folder to create; its parent must exist.")
    var output: String?
    @Option(help: "Number of classes, 2 to \(ImageClass.limit).")
    var classes = 24
    @Option(help: "Number of training images.")
    var train = 6000
    @Option(help: "Number of test images, none of which is among the training images.")
    var test = 1200
    @Option(help: "Width and height of an image, 16 to 512.")
    var size = 64
    @Option(help: "Number of tar files in each split, 1 to 200.")
    var shards = 4
    @Option(help: "The seed of all images.")
    var seed: UInt64 = 0
    @Option(help: "Draw a contact sheet to this JPEG file: a row of \(Self.columns) images for each class, in the order of classes.txt.")
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

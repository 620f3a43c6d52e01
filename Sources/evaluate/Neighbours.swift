import ArgumentParser
import Evaluation
import Images
import TensorStreams
import ToolSupport

struct Neighbours: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Find the images nearest to given images, and images that occur almost twice.",
        discussion: """
            For each image, finds the k nearest other images in the same stream, or in the stream --in, by the cosine of their features. --above 0.98 shows \
            only images at least that near: photographs of one moment, cut-outs, re-encoded copies. Within one stream it shows each pair once.

            Streams identify images by number. --names takes the output of 'augment --list' for the same data, and shows their paths.

            Example:
              evaluate neighbours test.tensors.zst --in train.tensors.zst --images 0,17,400 --k 8
              evaluate neighbours test.tensors.zst --in train.tensors.zst --images 0,17,400 --data test.tar --in-data train.tar --sheet near.png
              augment --data train.tar --list > train.list
              evaluate neighbours train.tensors.zst --above 0.98 --names train.list

            --sheet draws them: a row for each image, starting with the image itself, with number, cosine and class beneath each picture. The data must be those that the features were made from.

            See also: report, which shows nearest images on the page of a run; neighbours, which makes bags of them; augment --list.
            """)

    @Option(name: .customLong("in"), help: ArgumentHelp("Features to search (default: the stream's own).", valueName: "file"))
    var base: String?
    @Option(help: "Number of nearest images for each image.")
    var k = 5
    @Option(help: ArgumentHelp("The images to search for, as numbers separated by commas (default: all).", valueName: "numbers"))
    var images: String?
    @Option(help: ArgumentHelp("Show only images at least this near, a cosine up to 1.", valueName: "cosine"))
    var above: Float?
    @Option(help: ArgumentHelp("The output of augment --list for the stream's data.", valueName: "file"))
    var names: String?
    @Option(help: ArgumentHelp("The same for the data of --in (default: that of --names if there is no --in).", valueName: "file"))
    var inNames: String?
    @Option(help: ArgumentHelp("Write a sheet of images, .jpg or .png, with a row for each image and those nearest to it.", valueName: "file"))
    var sheet: String?
    @Option(help: ArgumentHelp("With --sheet: the stream's data (and --split if it has several splits).", valueName: "folder or archive"))
    var data: String?
    @Option(help: "With --data: the split that the features were made from, as for augment --split.")
    var split: String?
    @Option(help: ArgumentHelp("The same for the data of --in (default: that of --data if there is no --in).", valueName: "folder or archive"))
    var inData: String?
    @Option(help: "The same for the split of --in.")
    var inSplit: String?
    @Option(parsing: .unconditional, help: "With --sheet: maximum number of rows.")
    var sheetRows = 50
    @Option(help: "The tensor that holds the features.")
    var tensor = "features"
    @OptionGroup var output: ResultOutput
    @OptionGroup var common: TimedOptions
    @Argument(help: "The stream of features; - is standard input.") var input = "-"

    func validate() throws {
        try output.checkFiles(timing: common.timing, sheet: sheet, inputs: ["the input": input, "--in": base, "--names": names, "--in-names": inNames])
        try checkOption("--k", k, in: 1...KNNEvaluation.largestK - 1)
        if let above, !(above > -1 && above <= 1) { throw ValidationError("--above takes a cosine above -1 and up to 1, found \(above)") }
        if let images { try numbers(images, "--images", Int.init) { $0 >= 0 } }
        if sheet != nil, data == nil { throw ValidationError("--sheet needs the images; give --data") }
        if sheet != nil, base != nil, inData == nil { throw ValidationError("--sheet needs the images of --in; give --in-data") }
        let ofSheets = [("--data", data != nil), ("--split", split != nil), ("--in-data", inData != nil), ("--in-split", inSplit != nil)]
        if sheet == nil, let (option, _) = ofSheets.first(where: { $0.1 }) { throw ValidationError("\(option) is used only with --sheet; leave it out") }
        if base == nil, inData != nil || inSplit != nil { throw ValidationError("\(inData != nil ? "--in-data" : "--in-split") is used only with --in; leave it out") }
        try checkOption("--sheet-rows", sheetRows, in: 1...1000)
        if inNames != nil, base == nil { throw ValidationError("--in-names is used only with --in; leave it out") }
    }

    func run() throws {
        try common.start()
        let result = try output.open()
        let own = try names.map(ImageNames.init), other = try base == nil ? own : inNames.map(ImageNames.init)
        var progress = Progress(tool: "evaluate", unit: "samples", common)
        let stream = try FeatureStream(input, tensor: tensor, needsLabels: false), set = try stream.readAll { progress.add($0) }
        let wanted = try images.map { Set(try numbers($0, "--images", Int.init)) }
        let rows = set.images.indices.filter { wanted?.contains(set.images[$0]) ?? true }
        if let missing = wanted?.subtracting(set.images).min() { throw Failure(.data, path: stream.name, "has no image \(missing)", remedy: "augment --list shows the numbers") }
        let among = try base.map { try FeatureStream($0, tensor: tensor, needsLabels: false) }
        let pictures = try data.map { try SampleSheets($0, split: split, of: stream, inData, split: inSplit, of: among) }
        if let sheet {
            try OutputFile.check(sheet)
            try SampleSheets.check(k: k, rows: min(rows.count, sheetRows))
        }
        let found: [[NearestImages.Near]]
        if let among {
            found = try NearestImages(set.features.rows(rows), in: among, k: k) { progress.add($0) }.found
        } else {
            found = NearestImages(set, rows: rows, k: k).found
        }
        let near = zip(rows, found).map { row, near in (set.images[row], near.filter { near in above.map { near.similarity >= $0 } ?? true }) }
        // A pair within one stream that both images have found is shown only for the first.
        let others = base == nil && above != nil ? Dictionary(near.map { ($0.0, Set($0.1.map(\.image))) }, uniquingKeysWith: { $1 }) : [:]
        let shown = near.map { image, near in (image, near.filter { $0.image > image || others[$0.image]?.contains(image) != true }) }.filter { above == nil || !$0.1.isEmpty }
        progress.clear()
        let full = above == nil ? 0 : near.count { $0.1.count == k }
        if full > 0, !common.quiet { Evaluate.log("\(full) images have \(k) others this near, and perhaps more; a larger --k shows them") }
        try result.write(text: text(shown, own, other), json: json(shown, own, other))
        if let sheet, let pictures {
            if shown.isEmpty { Evaluate.log("\(sheet): no image has others this near, so no sheet is written") } else { try pictures.sheet(shown.prefix(sheetRows), k: k).write(to: sheet) }
        }
        try progress.finish("\(shown.count) images\(above.map { " with others above \($0)" } ?? "")")
    }

    private func text(_ shown: [(Int, [NearestImages.Near])], _ own: ImageNames?, _ other: ImageNames?) -> String {
        shown.map { image, near in
            let list = near.map { "\(other?[$0.image] ?? "\($0.image)") \(Progress.fixed(Double($0.similarity), 3))" }.joined(separator: ", ")
            return "\((own?[image] ?? "\(image)").printable): \(list.printable)\n"
        }.joined()
    }

    private func json(_ shown: [(Int, [NearestImages.Near])], _ own: ImageNames?, _ other: ImageNames?) -> JSON {
        func described(_ image: Int, _ names: ImageNames?) -> JSON.Object {
            var object: JSON.Object = ["image": .integer(Int64(image))]
            if let name = names?[image] { object["name"] = .string(name) }
            return object
        }
        return [
            "evaluation": "neighbours", "version": .string(productVersion), "protocol": ["k": .integer(Int64(k)), "metric": "cosine", "tensor": .string(tensor), "above": above.map { .number(Double($0)) } ?? .null],
            "images": .array(shown.map { image, near in
                var object = described(image, own)
                object["neighbours"] = .array(near.map { near in
                    var object = described(near.image, other)
                    object["similarity"] = .number(Double(near.similarity))
                    return .object(object)
                })
                return .object(object)
            }),
        ]
    }
}

/// The paths of images by number, from the output of `augment --list`.
private struct ImageNames {
    private var names: [Int: String] = [:]

    /// - Throws: a ``Failure`` where the file is not such a list.
    init(_ path: String) throws {
        let lines = try SmallFile.bytes(path, limit: 4 << 30, of: "a list of images").split(separator: UInt8(ascii: "\n"))
        for (number, line) in lines.enumerated() {
            let fields = String(decoding: line, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
            guard fields.count == 4, let index = Int(fields[0]) else {
                throw Failure(.data, path: path, location: "line \(number + 1)", "is not a line of augment --list, expected number, label, class and path separated by tabs")
            }
            names[index] = String(fields[3])
        }
    }

    subscript(index: Int) -> String? { names[index] }
}

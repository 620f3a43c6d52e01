import ArgumentParser
import Checkpoints
import TensorStreams
import ToolSupport

@main
struct Inspect: Tool {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show the contents of a tensor stream or a checkpoint, ours or another program's.",
        discussion: """
            Prints the provenance, and the type, shape, range and mean of every tensor. Files of torch.save and numpy.savez are held in memory as a whole.

              inspect train.tensors.zst --records 0..1 --to-jpeg sheet.jpeg
              augment --data photos.tar --limit 64 | inspect

            Exit status: 0 done, 64 wrong options, 65 damaged or truncated, 66 cannot open the input, 73 or 74 cannot write.
            See also: augment, embed, convert-weights.
            """,
        version: productVersion)

    @OptionGroup var common: CommonOptions
    @Argument(help: "A stream (.tensors.zst) or a document (.safetensors, .safetensors.zst, .pth, .npz); - is standard input, for a stream or safetensors only.")
    var input = OutputFile.standard
    @Flag(name: [.customLong("verify"), .customLong("check")], help: "Only verify the whole input, to its last byte: sizes, checksums, the end. Prints one line, or none with --quiet.")
    var verify = false
    @Flag(help: "Print one JSON object per line: the file, every record, the end.")
    var json = false
    @Option(help: ArgumentHelp("Show only this record, counted from 0.", valueName: "n"))
    var record: Int?
    @Option(help: ArgumentHelp("Show only these records: 3..7 (inclusive), 3.. or ..7.", valueName: "a..b"))
    var records: RecordRange?
    @Option(help: ArgumentHelp("Show only this tensor (repeatable).", valueName: "name"))
    var tensor: [String] = []
    @Option(help: ArgumentHelp("Write every shown tensor to a NumPy file in this folder; BF16 becomes float32.", valueName: "folder"))
    var toNpy: String?
    @Option(help: ArgumentHelp("Write the images of 'images' (or of --tensor) to this file as one JPEG, all views of an image side by side.", valueName: "file"))
    var toJpeg: String?
    @Option(help: "Maximum number of images in the JPEG.")
    var images = 100

    func validate() throws {
        try checkFiles(
            outputs: ["standard output": OutputFile.standard, "--to-npy": toNpy, "--to-jpeg": toJpeg], inputs: ["the input": input])
        if let record, record < 0 { throw ValidationError("--record counts from 0, found \(record)") }
        if record != nil, records != nil { throw ValidationError("give either --record or --records, not both") }
        try checkOption("--images", images, in: 1...10_000)
        if verify, record != nil || records != nil || toNpy != nil || toJpeg != nil {
            throw ValidationError("--verify checks the whole file and writes nothing else")
        }
        if toJpeg != nil, tensor.count > 1 { throw ValidationError("--to-jpeg shows one tensor, found \(tensor.count)") }
    }

    func run() throws {
        common.start()
        let shown = record.map { RecordRange(first: $0, last: $0) } ?? records ?? RecordRange(first: 0, last: nil)
        let isPart = record != nil || records != nil
        let foreign = self.input == OutputFile.standard ? nil : try WeightsFile.foreign(self.input)
        let input = foreign == nil ? try TensorInput.open(self.input) : nil
        let isStream = if case .stream? = input { true } else { false }
        if !isStream, isPart { throw Failure(.usage, path: self.input, "is one document, which has no records") }
        var report = try Report(input, path: self.input, kind: foreign?.kind, json: json, isSilent: verify, isQuiet: common.quiet)
        try report.start()
        var inspection = try Inspection(
            wanted: tensor, check: verify, arrays: toNpy.map { try NumpyFolder($0) },
            sheet: toJpeg.map { _ in ContactSheet(tensor: tensor.first ?? "images", capacity: images) })
        switch input {
        case nil:
            if let foreign { try visit(foreign.outline, foreign.read, &inspection) }
            try report.document(inspection)
        case .document(let reader):
            try reader.visit(&inspection)
            try report.document(inspection)
        case .stream(let reader):
            if shown.first > 0 { try reader.skip(to: shown.first) }
            inspection.record = shown.first
            while shown.contains(reader.recordIndex + 1), try reader.next(&inspection) {
                try report.record(inspection, number: reader.recordIndex)
                inspection.record = reader.recordIndex + 1
            }
            if isPart, reader.recordIndex < shown.first {
                throw Failure(.usage, path: reader.name, "has \(reader.recordIndex + 1) records, so there is no record \(shown.first)")
            }
        }
        if let toJpeg { try inspection.writeSheet(to: toJpeg) }
        try report.finish(isPart: isPart)
    }

    /// Visits the tensors of another program's file.
    private func visit(_ outline: DocumentOutline, _ read: (Set<String>) throws -> TensorDocument, _ inspection: inout Inspection) throws {
        try inspection.begin(outline)
        let wanted = outline.tensors.filter { tensor.isEmpty || tensor.contains($0.name) }, document = try read(Set(wanted.map(\.name)))
        for outline in wanted { if let tensor = document.tensors[outline.name] { try inspection.take(tensor.reshaped([tensor.count]), of: outline, first: 0) } }
    }
}

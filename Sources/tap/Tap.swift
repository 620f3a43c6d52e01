import ArgumentParser
import TensorStreams
import ToolSupport

@main
struct Tap: Tool {
    static let configuration = CommandConfiguration(
        commandName: "tap",
        abstract: "Pass a tensor stream on unchanged and keep its first records in a file.",
        discussion: """
            Runs between two tools. Its output is its input, byte for byte. The file is a complete stream, for inspect.

            Example:
              augment --data train.tar --size 64 | tap --records 2 -o views.tensors.zst | embed --weights teacher.safetensors -o embedded.tensors.zst
              inspect views.tensors.zst --to-jpeg views.jpg

            See also: inspect; make stage TAP=2
            """,
        version: productVersion)

    @Option(help: "Number of records to keep.") var records = 2
    @Option(name: .shortAndLong, help: "The stream to write.") var output: String

    func validate() throws {
        try checkOption("--records", records, in: 0...1_000_000_000)
        if output == OutputFile.standard { throw ValidationError("-o takes a file, found '-'; standard output carries the stream") }
        try checkFiles(outputs: ["-o": output, "standard output": "-"], inputs: ["standard input": "-"])
    }

    func run() throws {
        let copy = try ByteCopy()
        let records = records, output = output
        try copy.run { descriptor in
            let reader = try StreamReader(descriptor: descriptor, name: "standard input")
            let writer = try StreamWriter(output, header: reader.header)
            while writer.records < records, let record = try reader.next() { try writer.write(record) }
            try writer.commit()
        }
    }
}

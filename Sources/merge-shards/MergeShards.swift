import ArgumentParser
import TensorStreams
import ToolSupport

@main
struct MergeShards: Tool {
    static let configuration = CommandConfiguration(
        commandName: "merge-shards",
        abstract: "Merge the parts of an epoch that augment --shard 1/N to N/N have made.",
        discussion: """
            All parts must be present, each exactly once, in any order, and made by the same commands from the same data. The output is, to the byte, the stream \
            that one process would have written.

            Example: eight tasks of an array compute the features of a large set. Each runs

              augment --data train --recipe evaluation --shard auto | embed --weights student.safetensors --features --drop images \\
                -o part.$SLURM_ARRAY_TASK_ID.tensors.zst

            and then

              merge-shards part.*.tensors.zst -o train.tensors.zst
              evaluate knn --train <(merge-shards part.*.tensors.zst) --test test.tensors.zst

            See also: augment, embed; make shard and make distill-slurm, which do this for a run.
            """,
        version: productVersion)

    @Option(parsing: .unconditional, help: "The zstd level of the output (default: -1 to a pipe, 3 to a file).") var level: Int?
    @Option(name: .shortAndLong, help: ArgumentHelp("The stream to write; - is standard output.", valueName: "file")) var output = OutputFile.standard
    @OptionGroup var common: TimedOptions
    @Argument(help: "The parts.") var parts: [String]

    func validate() throws {
        try checkOption("--level", level, in: -100...19)
        for part in parts { try checkFiles(outputs: ["-o": output, "--timing": common.timing], inputs: ["a part": part]) }
    }

    func run() throws {
        try common.start()
        let shards = try MergedShards(parts)
        let writer = try StreamWriter(output, header: shards.header, level: level)
        var progress = Progress(tool: "merge-shards", unit: "records", total: shards.header.metadata.count("records"), common)
        while let record = try shards.next() {
            try writer.write(record)
            progress.add(1)
        }
        guard writer.records > 0 else { throw Failure(.data, "none of the \(parts.count) parts has a record", remedy: "all images of the data may be broken") }
        try writer.commit()
        try progress.finish("\(parts.count) parts")
    }
}

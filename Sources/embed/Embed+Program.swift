import Objectives
import TensorStreams
import ToolSupport
import Training

/// A program in the network's place.
extension Embed {
    func run(_ command: String, _ reader: ReadAhead) throws {
        let place = place(EmbeddingStage.Kind.embedding.name)
        let supervision = ProgramSupervision(
            timeout: commandTimeout ?? Double(TeacherProcess.usualTimeout), limit: "--command-timeout (of make distill TEACHER_TIMEOUT)", warn: { Embed.log($0) }, abandon: { stop($0) })
        let teacher = try TeacherProcess(command, option: "--command", header: reader.header, supervision)
        var progress = Progress(tool: "embed", unit: "images", total: reader.header.imageCount, common)
        // How wide the rows are, which the header says, is known with the first of them.
        var writer: StreamWriter?
        while let record = try reader.next() {
            try place.check(record)
            let rows = try teacher.rows(record)
            let stream = try writer ?? StreamWriter(output, header: header(reader.header, teacher), level: level)
            writer = stream
            try stream.write(place.put(rows, into: record))
            progress.add(rows.shape[0])
        }
        guard let writer else { throw empty(reader) }
        try teacher.finish()
        try writer.commit()
        try progress.finish("\(teacher.network ?? "a program"), rows of \(teacher.dimension ?? 0) numbers")
    }

    private func header(_ header: StreamHeader, _ teacher: TeacherProcess) -> StreamHeader {
        var header = header
        header.provenance = header.provenance.adding(Embed.self)
        header.metadata["dimension"] = teacher.dimension.map { "\($0)" }
        header.metadata["network"] = teacher.network
        return header
    }
}

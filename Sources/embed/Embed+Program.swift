import Objectives
import TensorStreams
import ToolSupport
import Training

/// A program instead of the network.
extension Embed {
    func run(_ command: String, _ reader: ReadAhead) throws {
        let place = place(EmbeddingStage.Kind.embedding.name)
        let supervision = ProgramSupervision(
            timeout: commandTimeout ?? Double(TeacherProcess.usualTimeout), limit: "--command-timeout (of make distill TEACHER_TIMEOUT)", warn: { Embed.log($0) }, abandon: { stop($0) })
        let teacher = try TeacherProcess(command, option: "--command", header: reader.header, supervision)
        var progress = Progress(tool: "embed", unit: "images", total: reader.header.imageCount, common)
        // The header gives the width of the rows, which is known with the first of them.
        var writer: RowOutput?
        while let record = try reader.next() {
            try place.check(record)
            let embedded = try teacher.rows(record)
            let stream = try writer ?? RowOutput(
                output, header: header(command, reader.header, teacher), level: level, csv: csv ? place.first : nil)
            writer = stream
            try stream.write(written(place.put(embedded, into: record), of: record))
            progress.add(embedded.shape[0])
        }
        guard let writer else {
            guard reader.header.mayBeEmpty else { throw empty(reader) }
            return try RowOutput(output, header: header(command, reader.header, nil), level: level, csv: csv ? place.first : nil).commit()
        }
        try teacher.finish()
        try writer.commit()
        try progress.finish("\(teacher.network ?? "a program"), rows of \(teacher.dimension ?? 0) numbers")
    }

    /// - Parameter teacher: nil for a stream without images, where the teacher has told nothing.
    private func header(_ command: String, _ header: StreamHeader, _ teacher: TeacherProcess?) -> StreamHeader {
        var header = self.header(header, dimension: teacher?.dimension, network: teacher?.network)
        // Only the command is hashed, since the contents of the program's files are unknown.
        header.addSource(XXH64.text(of: command))
        return header
    }
}

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

    /// - Parameter teacher: nil of a stream without images, of which it has told nothing.
    private func header(_ command: String, _ header: StreamHeader, _ teacher: TeacherProcess?) -> StreamHeader {
        var header = self.header(header, dimension: teacher?.dimension, network: teacher?.network)
        // What its files hold is not known.
        header.addSource(XXH64.text(of: command))
        return header
    }
}

import TensorStreams
import ToolSupport
import Training

/// Rows that are made, in the network's place.
extension Embed {
    func run(stored: String, _ reader: ReadAhead) throws {
        let rows = try StoredRowsReader(stored, images: reader.name), place = RowPlace([], drop: Set(drop))
        let writer = try StreamWriter(output, header: rows.header(joining: reader.header), level: level)
        var progress = Progress(tool: "embed", unit: "images", total: reader.header.imageCount, common)
        while let record = try reader.next() {
            try place.check(record)
            let joined = try rows.join(record)
            try writer.write(place.dropping(from: joined))
            progress.add(try record.tensor("index", .i64, shape: [nil]).shape[0])
        }
        guard writer.records > 0 || reader.header.mayBeEmpty else { throw empty(reader) }
        try rows.finish()
        try writer.commit()
        try progress.finish("stored rows")
    }
}

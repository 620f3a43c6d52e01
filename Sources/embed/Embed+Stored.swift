import TensorStreams
import ToolSupport
import Training

/// Stored rows instead of the network.
extension Embed {
    func run(stored: String, _ reader: ReadAhead) throws {
        if byImage {
            let rows = try ImageRows(stored, images: reader.name)
            return try run(reader, header: rows.header, join: rows.join)
        }
        let rows = try StoredRowsReader(stored, images: reader.name)
        try run(reader, header: rows.header, join: rows.join, finish: rows.finish)
    }

    private func run(
        _ reader: ReadAhead, header: (StreamHeader) throws -> StreamHeader, join: (TensorDocument) throws -> TensorDocument, finish: () throws -> Void = {}
    ) throws {
        let place = RowPlace([], drop: Set(drop)), writer = try StreamWriter(output, header: try header(reader.header), level: level)
        var progress = Progress(tool: "embed", unit: "images", total: reader.header.imageCount, common)
        while let record = try reader.next() {
            try place.check(record)
            let joined = try join(record)
            try writer.write(place.dropping(from: joined))
            progress.add(try record.tensor("index", .i64, shape: [nil]).shape[0])
        }
        guard writer.records > 0 || reader.header.mayBeEmpty else { throw empty(reader) }
        try finish()
        try writer.commit()
        try progress.finish("stored rows")
    }
}

import TensorStreams
import ToolSupport

/// The output of embedded records: a stream, or their rows as CSV (RFC 4180, except that lines end in a line feed).
///
///     index,label,path,0,1,2,…
///     17,3,cats/7.jpg,0.125,-0.03,1.5,…
///
/// `label` is present where the stream has labels, `path` where augment --paths added them. A number is the shortest
/// text that gives the same float.
final class RowOutput {
    private let stream: StreamWriter?
    private var table: OutputFile?
    private let tensor: String
    private var columns: [String] = []
    private var written = 0

    /// - Parameter tensor: the rows for CSV output; nil for a stream.
    init(_ path: String, header: StreamHeader, level: Int?, csv tensor: String?) throws {
        self.tensor = tensor ?? ""
        stream = tensor == nil ? try StreamWriter(path, header: header, level: level) : nil
        table = tensor == nil ? nil : try OutputFile(path)
    }

    var records: Int { stream?.records ?? written }

    func write(_ record: TensorDocument) throws {
        guard let stream else { return try writeRows(record) }
        try stream.write(record)
    }

    private func writeRows(_ record: TensorDocument) throws {
        let rows = try record.tensor(tensor, .f32, shape: [nil, nil]), (N, D) = (rows.shape[0], rows.shape[1]), values = try rows.floats()
        let index = try record.tensor("index", .i64, shape: [N]).integers(), labels = try record.tensors["label"] == nil ? nil : record.tensor("label", .i32, shape: [N]).integers()
        let paths = try record.paths(N)
        let own = ["index"] + (labels == nil ? [] : ["label"]) + (paths == nil ? [] : ["path"]) + (0..<D).map { "\($0)" }
        var text = ""
        if written == 0 {
            columns = own
            text = own.joined(separator: ",") + "\n"
        }
        guard own == columns else { throw record.failure("has other columns than the records before") }
        for n in 0..<N {
            text += "\(index[n])"
            if let labels { text += ",\(labels[n])" }
            if let paths { text += "," + paths[n].csvField }
            for d in 0..<D { text += ",\(values[n * D + d])" }
            text += "\n"
        }
        try table?.write(text)
        written += 1
    }

    func commit() throws {
        try stream?.commit()
        try table.take()?.commit()
    }
}

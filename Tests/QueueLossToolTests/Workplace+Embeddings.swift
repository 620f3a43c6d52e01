import Losses
import TensorStreams
import TestSupport

extension Workplace {
    /// Writes a stream of batches of student and teacher rows; the teacher's rows are near the student's.
    @discardableResult
    func stream(
        _ name: String, batches: Range<Int> = 0..<3, N: Int = 8, D: Int = 16, metadata: [String: String] = [:],
        first: TensorDocument? = nil, change: (Int, inout TensorDocument) -> Void = { _, _ in }
    ) throws -> [TensorDocument] {
        let header = StreamHeader(provenance: Provenance(lines: ["embed 0.1.0 --seed 3"]), metadata: metadata)
        let writer = try StreamWriter(path(name), header: header)
        if let first { try writer.write(first) }
        var records = [TensorDocument]()
        for batch in batches {
            let rows = { (seed: Int) in EmbeddingQueue(capacity: N, dimension: D, seed: UInt64(seed)).rows }
            var record = TensorDocument(
                metadata: ["epoch": "2", "step": "\(batch)"],
                tensors: ["student": Tensor(f32: rows(batch), shape: [N, D]), "teacher": Tensor(f32: rows(batch + 1000), shape: [N, D])])
            change(batch, &record)
            try writer.write(record)
            records.append(record)
        }
        try writer.commit()
        return records
    }
}

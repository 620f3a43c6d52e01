public import TensorStreams

/// The teacher's embeddings of the first images, read before the first step.
///
/// A loss that must know the teacher's mean or temperature before it starts computes them from this sample. The
/// sample comes with the loss's first record, as the tensor ``name``.
///
///     let records = TeacherSample.Reader(reader)
///     let sample = try records.sample("teacher")
///     while let record = try records.next() { … }     // all of them, from the first
public enum TeacherSample {
    /// The name of the tensor in a loss's first record, f32 [n, D].
    public static let name = "teacher.sample"
    /// A sufficient number of embeddings. Their mean is within 0.03 of the mean of all.
    public static let rows = 1024
    /// The minimum number of embeddings for an estimate.
    public static let fewest = 32
    /// The maximum size in bytes of the records read ahead, not counting the last one.
    ///
    /// The records include the images, which may be large.
    private static let mostBytes = 256 << 20

    /// A stream that buffers the records it reads ahead.
    public final class Reader {
        private let reader: any RecordSource
        private var kept: [TensorDocument] = []

        public init(_ reader: any RecordSource) { self.reader = reader }

        /// The sample of one tensor, as in ``samples(_:)``; nil where there is none.
        public func sample(_ name: String) throws -> Tensor? { try samples([name])[name] }

        /// The first ``rows`` rows of each of these tensors, f32 [N, D], in the first epoch of the stream, or as many
        /// as there are.
        ///
        /// A tensor without rows has no entry.
        ///
        /// Sampling stops at the first record that lacks embeddings of one of the tensors; its consumer will report
        /// the error. Call before ``next()``.
        ///
        /// - Parameter isStopped: whether to stop and discard what has been read so far.
        public func samples(_ names: [String], unless isStopped: () -> Bool = { false }) throws -> [String: Tensor] {
            guard !names.isEmpty else { return [:] }
            var samples: [String: (values: [Float], width: Int)] = [:], epoch: String??, count = 0, bytes = 0
            reading: while count < TeacherSample.rows, bytes < mostBytes, !isStopped(), let record = try reader.next() {
                kept.append(record)
                bytes += reader.byteCount(of: record)
                guard epoch ?? record.metadata["epoch"] == record.metadata["epoch"] else { break }
                var rows: [String: Tensor] = [:]
                for name in names {
                    guard let teacher = try? record.tensor(name, .f32, shape: [nil, samples[name]?.width]), teacher.shape[1] > 0, (try? NormalizedRowCheck.check(teacher, name, in: record)) != nil
                    else { break reading }
                    rows[name] = teacher
                }
                epoch = .some(record.metadata["epoch"])
                for (name, teacher) in rows { samples[name] = ((samples[name]?.values ?? []) + (try teacher.floats()), teacher.shape[1]) }
                count = rows[names[0]].map { count + $0.shape[0] } ?? count
            }
            return samples.filter { !$0.value.values.isEmpty }.mapValues { sample in
                let count = min(TeacherSample.rows, sample.values.count / sample.width)
                return Tensor(f32: Array(sample.values.prefix(count * sample.width)), shape: [count, sample.width])
            }
        }

        /// The next record; nil after the last one.
        public func next() throws -> TensorDocument? { try kept.isEmpty ? reader.next() : kept.removeFirst() }
    }
}

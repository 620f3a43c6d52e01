public import TensorStreams

/// The teacher's embeddings of the images that come first, read before the first step.
///
/// A loss that must know something of the teacher before it begins, its mean or a temperature, finds it from these: they come with the first
/// record that it is given, as the tensor ``name``.
///
///     let records = TeacherSample.Reader(reader)
///     let sample = try records.sample("teacher")
///     while let record = try records.next() { … }     // all of them, from the first
public enum TeacherSample {
    /// The tensor of a loss's first record, f32 [n, D].
    public static let name = "teacher.sample"
    /// Embeddings that are enough. The mean of so many is within 0.03 of that of all.
    public static let rows = 1024
    /// Fewer say too little.
    public static let fewest = 32
    /// Bytes of records that are read ahead at the most, but for the last one: large images are kept too.
    private static let mostBytes = 256 << 20

    /// A stream whose first records are kept when they have been read ahead of their use.
    public final class Reader {
        private let reader: any RecordSource
        private var kept: [TensorDocument] = []

        public init(_ reader: any RecordSource) { self.reader = reader }

        /// As ``samples(_:)``, of one tensor; nil where there are none.
        public func sample(_ name: String) throws -> Tensor? { try samples([name])[name] }

        /// Of each of these tensors, f32 [N, D], the first ``rows`` rows in the stream's first epoch, or as many as there are; none of one without any.
        ///
        /// A record that lacks embeddings of one ends them all: whoever uses it will say what is wrong. To be called before ``next()``.
        ///
        /// - Parameter isStopped: whether no more is wanted, nor what has been read so far.
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

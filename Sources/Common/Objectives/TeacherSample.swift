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
        private let reader: ReadAhead
        private var kept: [TensorDocument] = []

        public init(_ reader: ReadAhead) { self.reader = reader }

        /// The first ``rows`` rows of the tensor `name`, f32 [N, D], in the stream's first epoch, or as many as there are; nil where there are none.
        ///
        /// A record that has no embeddings ends them: whoever uses it will say what is wrong. To be called before ``next()``.
        public func sample(_ name: String) throws -> Tensor? {
            var values: [Float] = [], width: Int?, epoch: String??, bytes = 0
            while width.map({ values.count < TeacherSample.rows * $0 }) ?? true, bytes < mostBytes, let record = try reader.next() {
                kept.append(record)
                bytes += record.tensors.values.reduce(0) { $0 + $1.byteCount }
                guard let teacher = try? record.tensor(name, .f32, shape: [nil, width]), teacher.shape[1] > 0,
                    epoch ?? record.metadata["epoch"] == record.metadata["epoch"], (try? NormalizedRowCheck.check(teacher, name, in: record)) != nil
                else { break }
                width = teacher.shape[1]
                epoch = .some(record.metadata["epoch"])
                values += try teacher.floats()
            }
            guard let width, !values.isEmpty else { return nil }
            let count = min(TeacherSample.rows, values.count / width)
            return Tensor(f32: Array(values.prefix(count * width)), shape: [count, width])
        }

        /// The next record; nil after the last one.
        public func next() throws -> TensorDocument? { try kept.isEmpty ? reader.next() : kept.removeFirst() }
    }
}

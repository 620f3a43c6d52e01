public import TensorStreams
import ToolSupport

/// A teacher's rows without their images: stored once by `embed --rows`, and joined to the same views later by `embed
/// --stored` instead of running the teacher.
///
/// A record has `index` i64 [N], `views` u64 [N], which is the XXH64 of all views of each image, and the rows. Thus
/// rows are only ever joined to the image bytes from which they were computed.
public enum StoredRows {
    static let index = "index"
    static let views = "views"
    /// The header key for the number of tools that made the rows, one after the other; absent for one.
    public static let makers = "row_makers"

    /// The part of `embedded` to store: everything that `record`, the input of the embedding, does not have.
    ///
    /// - Parameters:
    ///   - further: rows of other teachers, already in `record`, that are stored too.
    ///   - isHalf: whether rows are rounded to half precision.
    public static func kept(of embedded: TensorDocument, _ record: TensorDocument, and further: [String], isHalf: Bool) throws -> TensorDocument {
        var kept = TensorDocument(metadata: record.metadata)
        for name in further { _ = try record.tensor(name, .f32, shape: [nil, nil]) }
        for (name, rows) in embedded.tensors where record.tensors[name] == nil || further.contains(name) {
            guard name != index, name != views else { throw record.failure("cannot have rows named '\(name)', a name that stored rows use for another tensor", remedy: "name them with --as") }
            kept.tensors[name] = isHalf ? try half(rows, name, record) : rows
        }
        kept.tensors[index] = try record.tensor(index, .i64, shape: [nil])
        kept.tensors[views] = try views(of: record)
        return kept
    }

    private static func half(_ rows: Tensor, _ name: String, _ record: TensorDocument) throws -> Tensor {
        let half = try rows.converted(to: .f16)
        guard try half.floats().allSatisfy(\.isFinite) else { throw record.failure("has numbers in '\(name)' that half precision cannot hold", remedy: "leave out --half") }
        return half
    }

    /// The hash of each image's views, concatenated over all groups of crops: u64 [N].
    static func views(of record: TensorDocument) throws -> Tensor {
        let groups = try (0..<max(1, ImageViews.groupCount(record))).map { try record.tensor(ImageViews.name($0), .u8, shape: [nil, nil, nil, nil, 3]) }
        let N = groups[0].shape[0]
        guard groups.allSatisfy({ $0.shape[0] == N }) else { throw record.failure("has groups of crops with different numbers of images") }
        let numbers = try record.tensor(index, .i64, shape: [nil]).shape[0]
        guard numbers == N else { throw record.failure("has \(N) images and \(numbers) numbers in '\(index)'") }
        var hashes = [XXH64](repeating: XXH64(), count: N)
        for group in groups where N > 0 {
            let length = group.byteCount / N
            unsafe group.withBytes { bytes in
                for n in 0..<N { unsafe hashes[n].update(UnsafeRawBufferPointer(rebasing: bytes[n * length..<(n + 1) * length])) }
            }
        }
        return Tensor(hashes.map(\.value), .u64, [N])
    }
}

/// A file of ``StoredRows``, to be joined to a stream of images.
struct StoredRowsFile {
    let reader: StreamReader
    /// The name of the stream to join to, for messages.
    let images: String

    init(_ path: String, images: String) throws {
        (reader, self.images) = (try StreamReader(path), images)
        guard reader.header.metadata["rows"] != nil else { throw Failure(.data, path: reader.name, "is not a file of stored rows", remedy: "embed --rows makes one") }
    }

    /// The header of the joined stream, equal to that after running the teacher.
    func header(joining header: StreamHeader) -> StreamHeader {
        var header = header
        for key in ["dimension", "network", "logit_classes"] { header.metadata[key] = reader.header.metadata[key] }
        // The last lines are those of the tools that made the rows. The lines before describe the images, like those
        // of the stream itself.
        let makers = reader.header.metadata.count(StoredRows.makers) ?? 1
        header.provenance.lines += reader.header.provenance.lines.suffix(makers)
        header.addSources(of: reader.header, makers: makers)
        return header
    }

    /// The rows in a record of `count` images, by name.
    func rows(of record: TensorDocument, images count: Int) throws -> [String: Tensor] {
        let rows = record.tensors.filter { $0.key != StoredRows.index && $0.key != StoredRows.views }
        for (name, tensor) in rows.sorted(by: { $0.key < $1.key }) {
            guard tensor.shape.first == count, tensor.dtype == .f32 || tensor.dtype == .f16 else {
                throw record.failure("has '\(name)' \(tensor.summary) where F32 or F16 rows of \(count) images are expected", remedy: Self.remedy)
            }
        }
        return rows
    }

    static let remedy = "give it the stream of images that it was made from, or make it again with embed --rows"
}

/// Joins a file of ``StoredRows`` to the stream of its images, record by record.
public final class StoredRowsReader {
    private let file: StoredRowsFile
    private var reader: StreamReader { file.reader }
    private var images: String { file.images }
    /// Whether the stream of images has only a part of each batch.
    private var hasParts = false
    /// The number of batches that the stream of images skips at its beginning.
    private var firstBatch = 0
    private var isFirst = true

    /// - Parameter images: the name of the stream of images.
    public init(_ path: String, images: String) throws { file = try StoredRowsFile(path, images: images) }

    /// The header of the joined stream, equal to that after running the teacher.
    public func header(joining header: StreamHeader) -> StreamHeader {
        firstBatch = header.metadata.count(StreamHeader.firstBatch) ?? 0
        hasParts = BatchSlice.isTold(by: header)
        return file.header(joining: header)
    }

    /// The record with its rows.
    ///
    /// - Throws: ``Failure`` `data` where the next rows are of other images or of other views of them.
    public func join(_ record: TensorDocument) throws -> TensorDocument {
        guard let whole = try next(record) else { throw Failure(.data, path: reader.name, "ends before \(images) does", remedy: StoredRowsReader.remedy) }
        let index = try record.tensor(StoredRows.index, .i64, shape: [nil]), rows = hasParts ? try part(of: whole, index) : whole
        let own = try rows.tensor(StoredRows.index, .i64, shape: [nil])
        guard index.shape == own.shape else {
            throw rows.failure("has rows of \(own.shape[0]) images where \(images) has \(index.shape[0])", remedy: StoredRowsReader.remedy)
        }
        let (numbers, expected) = (try own.integers(), try index.integers())
        if let place = numbers.indices.first(where: { numbers[$0] != expected[$0] }) {
            throw rows.failure("has row \(place) of image \(numbers[place]) where \(images) has image \(expected[place])", remedy: StoredRowsReader.remedy)
        }
        func hashes(_ tensor: Tensor) -> [UInt64] { unsafe tensor.withElements(as: UInt64.self) { unsafe Array($0) } }
        let seen = hashes(try rows.tensor(StoredRows.views, .u64, shape: [index.shape[0]])), views = hashes(try StoredRows.views(of: record))
        if let place = views.indices.first(where: { views[$0] != seen[$0] }) {
            throw rows.failure("has other views of image \(numbers[place]) than \(images)", remedy: StoredRowsReader.remedy)
        }
        var joined = record
        for (name, tensor) in try file.rows(of: rows, images: index.shape[0]) {
            guard record.tensors[name] == nil else { throw record.failure("has a tensor '\(name)' already") }
            joined.tensors[name] = try tensor.converted(to: .f32)
        }
        return joined
    }

    /// The rows of these images, which are adjacent in the batch.
    ///
    /// Returns all rows where the images are not found, so that the caller reports the difference.
    private func part(of whole: TensorDocument, _ index: Tensor) throws -> TensorDocument {
        let numbers = try whole.tensor(StoredRows.index, .i64, shape: [nil]).integers(), wanted = try index.integers()
        guard let start = numbers.indices.first(where: { numbers[$0...].prefix(wanted.count) == wanted[...] }), numbers.count - start >= wanted.count else { return whole }
        var part = whole
        for (name, tensor) in whole.tensors {
            guard tensor.shape.first == numbers.count else { throw whole.failure("has '\(name)' \(tensor.summary) where rows of \(numbers.count) images are expected", remedy: StoredRowsReader.remedy) }
            part.tensors[name] = tensor.view(tensor.dtype, [wanted.count] + tensor.shape.dropFirst(), from: start * (tensor.byteCount / max(1, numbers.count)))
        }
        return part
    }

    /// The next rows. If the stream starts in the middle of an epoch, earlier rows are skipped.
    private func next(_ record: TensorDocument) throws -> TensorDocument? {
        var rows = try reader.next()
        while isFirst, firstBatch > 0, let step = rows?.metadata.count("step"), let own = record.metadata.count("step"), step < own { rows = try reader.next() }
        isFirst = false
        return rows
    }

    /// - Throws: ``Failure`` `data` where there are rows of further images.
    public func finish() throws {
        // The stream resumed an epoch that had no batches left, so no rows were read.
        if isFirst, firstBatch > 0 { return }
        if let rows = try reader.next() { throw rows.failure("has images that \(images) does not have", remedy: StoredRowsReader.remedy) }
    }

    private static let remedy = StoredRowsFile.remedy
}

public import TensorStreams
import ToolSupport

/// A teacher's rows for whole images.
///
/// They are stored by `embed --rows` from one view of each image, like the cache of SimReg, and joined by image
/// number to any views of the image.
///
/// All rows are held in memory, in the data type of the file.
public struct ImageRows {
    private struct Place {
        let record: Int, row: Int
    }

    private let file: StoredRowsFile
    private let records: [[String: Tensor]]
    private let places: [Int: Place]

    /// - Parameter images: the name of the stream of images.
    public init(_ path: String, images: String) throws {
        file = try StoredRowsFile(path, images: images)
        var records: [[String: Tensor]] = [], places: [Int: Place] = [:]
        while let record = try file.reader.next() {
            let numbers = try record.tensor(StoredRows.index, .i64, shape: [nil]).integers()
            for (row, number) in numbers.enumerated() {
                guard places.updateValue(Place(record: records.count, row: row), forKey: number) == nil else {
                    throw record.failure("has image \(number) a second time", remedy: "make it of one view of each image: augment --recipe evaluation")
                }
            }
            let rows = try file.rows(of: record, images: numbers.count)
            guard Set(rows.keys) == Set((records.first ?? rows).keys), rows.allSatisfy({ name, tensor in records.first?[name].map { Self.isLike($0, tensor) } ?? true }) else {
                throw record.failure("has other rows than the records before", remedy: StoredRowsFile.remedy)
            }
            records.append(rows)
        }
        guard !places.isEmpty else { throw Failure(.data, path: file.reader.name, "has no rows", remedy: StoredRowsFile.remedy) }
        (self.records, self.places) = (records, places)
    }

    private static func isLike(_ a: Tensor, _ b: Tensor) -> Bool { a.dtype == b.dtype && a.shape.dropFirst() == b.shape.dropFirst() }

    /// The header of the joined stream.
    ///
    /// - Throws: ``Failure`` `data` where that stream is of other data. Numbers alone would join rows of other
    ///   images.
    public func header(joining header: StreamHeader) throws -> StreamHeader {
        if let own = file.reader.header.dataSource, let other = header.dataSource, own != other {
            throw Failure(.data, path: file.reader.name, "is of other data than \(file.images)", remedy: StoredRowsFile.remedy)
        }
        return file.header(joining: header)
    }

    /// The record with the rows of its images.
    ///
    /// - Throws: ``Failure`` `data` where an image has no row.
    public func join(_ record: TensorDocument) throws -> TensorDocument {
        let numbers = try record.tensor(StoredRows.index, .i64, shape: [nil]).integers()
        let found = try numbers.map { number in
            guard let place = places[number] else {
                throw Failure(.data, path: file.reader.name, "has no row of image \(number), which \(file.images) has", remedy: "make it of the same data, all of it: augment --recipe evaluation")
            }
            return place
        }
        var joined = record
        for (name, first) in records[0] {
            guard record.tensors[name] == nil else { throw record.failure("has a tensor '\(name)' already") }
            var rows: [Float] = []
            let width = first.shape.dropFirst().reduce(1, *)
            rows.reserveCapacity(numbers.count * width)
            for place in found {
                guard let tensor = records[place.record][name], let row = tensor.view(tensor.dtype, [1] + tensor.shape.dropFirst(), from: place.row * (tensor.byteCount / tensor.shape[0])) else { continue }
                rows += try row.floats()
            }
            joined.tensors[name] = Tensor(f32: rows, shape: [numbers.count] + first.shape.dropFirst())
        }
        return joined
    }
}

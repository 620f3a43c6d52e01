import Kernels
import Parallel
import TensorStreams

/// Rows of features (samples, dimension), the input of a classifier.
public final class FeatureMatrix: @unchecked Sendable {
    public let samples: Int
    public let dimension: Int
    let memory: FloatBuffer

    /// - Parameter values: `samples`·`dimension` finite numbers, row by row.
    public init(_ values: [Float], samples: Int, dimension: Int) {
        precondition(values.count == samples * dimension)
        self.samples = samples
        self.dimension = dimension
        memory = FloatBuffer(values)
    }

    /// Concatenates the rows of all portions.
    init(_ portions: [[Float]], dimension: Int) {
        self.dimension = dimension
        samples = portions.reduce(0) { $0 + $1.count } / dimension
        memory = FloatBuffer(samples * dimension)
        var end = memory.pointer
        for portion in portions {
            portion.withUnsafeBufferPointer { if let start = $0.baseAddress { end.update(from: start, count: $0.count) } }
            end += portion.count
        }
    }

    init(samples: Int, dimension: Int) {
        self.samples = samples
        self.dimension = dimension
        memory = FloatBuffer(samples * dimension)
    }

    func row(_ index: Int) -> UnsafeMutablePointer<Float> { memory.pointer + index * dimension }

    /// All values, row by row, without a copy.
    var all: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: memory.pointer, count: samples * dimension) }

    /// The rows `indices`, in that order.
    public func rows(_ indices: [Int]) -> FeatureMatrix {
        let copy = FeatureMatrix(samples: indices.count, dimension: dimension)
        for (target, index) in indices.enumerated() { copy.row(target).update(from: row(index), count: dimension) }
        return copy
    }

    /// The first `count` columns of all rows.
    func columns(_ count: Int) -> FeatureMatrix {
        let copy = FeatureMatrix(samples: samples, dimension: count)
        for row in 0..<samples { copy.row(row).update(from: self.row(row), count: count) }
        return copy
    }

    /// A copy with the same rows, for code that changes them.
    var copy: FeatureMatrix { rows(Array(0..<samples)) }

    /// The values, row by row.
    public var values: [Float] { Array(UnsafeBufferPointer(start: memory.pointer, count: memory.count)) }

    /// A hash that identifies these rows and their labels.
    func fingerprint(_ labels: [Int32]) -> String {
        var hash = XXH64()
        hash.update(UnsafeRawBufferPointer(all))
        labels.withUnsafeBytes { hash.update($0) }
        return "\(samples) rows \(String(hash.value, radix: 16))"
    }

    /// Scales every row to length 1; rows of zeros stay as they are.
    public func normalizeRows() {
        let (rows, width) = (samples, dimension)
        Parallel.forEach((rows + 255) / 256) { piece, _ in
            for index in piece * 256..<min(rows, piece * 256 + 256) { VectorAlgebra.normalize(row(index), width) }
        }
    }
}

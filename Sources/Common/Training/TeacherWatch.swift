import Objectives
import Platform
import TensorStreams

/// Detects a teacher that gives the same rows for all images, from which no method can learn: either the images are
/// all the same, or the teacher does not distinguish them.
struct TeacherWatch {
    /// The number of such batches before a warning.
    private static let batches = 3
    /// The relative tolerance within which numbers count as equal, as a share of the largest.
    ///
    /// It is the rounding error of one image at two places of a batch.
    private static let tolerance: Float = 1e-6

    private let tensor: String?
    private var alike = 0
    /// Whether different rows have been seen, or the warning was given.
    private var isDone = false

    /// - Parameter tensor: the teacher's rows in a record; nil where there are none, or where the method checks them
    ///   itself.
    init(tensor: String?) { self.tensor = tensor }

    /// - Returns: a note for the user; once.
    mutating func add(_ record: TensorDocument) -> String? {
        guard !isDone, let tensor, let rows = record.tensors[tensor], rows.dtype == .f32, let N = rows.shape.first, N > 1, let D = rows.shape.last, D > 0 else { return nil }
        guard unsafe rows.withElements(as: Float.self, { unsafe Self.areAlike($0, D) }) else {
            isDone = true
            return nil
        }
        alike += 1
        guard alike == Self.batches else { return nil }
        isDone = true
        return "the teacher's rows ('\(tensor)') are the same for all images of the first \(alike) batches, and nothing can be learnt from them; check the teacher and its images"
    }

    private static func areAlike(_ values: UnsafeBufferPointer<Float>, _ D: Int) -> Bool {
        let largest = unsafe values.reduce(0) { max($0, abs($1)) }
        for start in stride(from: D, to: values.count, by: D) {
            for d in 0..<D where unsafe abs(values[start + d] - values[d]) > tolerance * largest { return false }
        }
        return true
    }
}

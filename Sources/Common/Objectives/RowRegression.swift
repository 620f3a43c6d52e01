import Losses
import TensorStreams

/// The regression of rows on target rows, both at unit length: the mean of ‖p̂ − t̂‖² = 2 − 2⟨p̂, t̂⟩.
struct RowRegression {
    let value: Double
    /// The gradient with respect to the unnormalised rows (N, D).
    let gradient: [Float]

    /// - Parameter scale: a factor for the value and the gradient.
    init(_ rows: NormalizedRows, on targets: NormalizedRows, scale: Double = 1) {
        precondition(rows.N == targets.N && rows.D == targets.D)
        var sum = 0.0, gradient = targets.values
        for i in rows.values.indices { sum += Double(rows.values[i]) * Double(targets.values[i]) }
        let count = Double(max(1, rows.N)), factor = Float(-2 * scale / count)
        for i in gradient.indices { gradient[i] *= factor }
        value = scale * (2 - 2 * sum / count)
        self.gradient = rows.backward(gradient)
    }
}

extension Batch {
    /// A teacher's output for the images: f32 (N, D), finite.
    ///
    /// - Parameter width: the required row width D, and the remedy where it differs; nil for any width.
    func teacher(_ output: TeacherOutput, width: (D: Int, remedy: String)? = nil) throws -> PassOutput {
        let name = output.tensor, tensor = try teacherTensor(output), found = tensor.shape[1]
        guard found > 0 else { throw record.failure("has rows without numbers in '\(name)'") }
        if let width, found != width.D { throw record.failure("has rows of \(found) numbers in '\(name)' where \(width.D) are expected", remedy: width.remedy) }
        let values = try tensor.floats()
        guard values.allSatisfy(\.isFinite) else {
            throw record.failure("has a number that is not finite in '\(name)'", remedy: "the network that made it has diverged")
        }
        return PassOutput(values, N: N, D: found)
    }

    /// The tensor of a teacher's output: f32 (N, D).
    func teacherTensor(_ output: TeacherOutput) throws -> Tensor {
        let name = output.tensor
        guard record.tensors[name] != nil else {
            let options = output.embedOptions.map { " " + $0 }.joined()
            throw record.failure("has no tensor '\(name)'; it has \(listedNames)", remedy: "send it through embed\(options)")
        }
        return try record.tensor(name, .f32, shape: [N, nil])
    }

    /// A teacher's output for one view of each image, taken from a tensor of all views of a group: f32 (N, D),
    /// finite.
    ///
    /// - Parameters:
    ///   - output: the kind of output.
    ///   - D: the required row width.
    ///   - remedy: the advice where the width differs; nil for the one that applies to embeddings.
    func teacher(_ output: TeacherOutput, group: Int, view: Int, width D: Int, remedy: String? = nil) throws -> PassOutput {
        let rows = try teacherRows(output, group: group, remedy: "send it through embed \(output.embedOptions.joined(separator: " "))", width: D, widthRemedy: remedy)
        let V = views[group], values = try rows.floats()
        guard values.allSatisfy(\.isFinite) else {
            throw record.failure("has a number that is not finite in '\(output.tensor(ofGroup: group))'", remedy: "the network that made it has diverged")
        }
        return PassOutput(values.rows(ofView: view, among: V, dimension: D), N: N, D: D)
    }

    /// A teacher's output for all V views of a group of crops: f32 (N, V, D).
    ///
    /// - Parameters:
    ///   - remedy: the advice where the tensor is missing.
    ///   - D: the required row width.
    ///   - widthRemedy: the advice where the width differs; nil for the one that applies to embeddings.
    func teacherRows(_ output: TeacherOutput = .embedding, group: Int, remedy: String, width D: Int, widthRemedy: String? = nil) throws -> Tensor {
        let name = output.tensor(ofGroup: group), V = views[group]
        guard record.tensors[name] != nil else { throw record.failure("has no tensor '\(name)'; it has \(listedNames)", remedy: remedy) }
        let rows = try record.tensor(name, .f32, shape: [N, V, nil]), found = rows.shape[2]
        guard found == D else {
            let what = output.isEmbedding ? "teacher embeddings" : "\(output)"
            throw record.failure(
                "has \(what) of \(found) numbers in '\(name)' where the student's have \(D)", remedy: widthRemedy ?? "make a student with initialize --embedding \(found)")
        }
        return rows
    }

    private var listedNames: String { record.names.isEmpty ? "no tensors" : record.names.joined(separator: ", ") }
}

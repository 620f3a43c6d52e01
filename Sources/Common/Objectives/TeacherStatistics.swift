import Losses
import TensorStreams
import ToolSupport

/// What SEED's loss knows of its teacher: estimated once, from the first embeddings, and kept beside the queue.
///
/// | tensor        | shape    |                                                             |
/// |---------------|----------|-------------------------------------------------------------|
/// | `centre`      | f32 [D]  | the mean that is subtracted; absent where none is           |
/// | `temperature` | f64 [1]  | the teacher's temperature; absent where it was not found    |
///
/// Both stay constant during the whole training. If the mean moved, the queue would hold rows with another mean
/// subtracted. The teacher does not change either: for 4000 images, the mean of the first 1024 is off by 0.02 at a
/// length of 0.77.
struct TeacherStatistics {
    var centre: SharedMean?
    var temperature: Double?

    /// The length below which a mean is not subtracted.
    ///
    /// At this length the cosine of two images is 0.04, and at the student's usual temperature, 0.2, a student that
    /// knows only the mean raises an embedding's logit by 1 over that of a random row.
    static let smallestMean = 0.2
    /// The desired entropy of the targets, as a share of ln(K + 1).
    ///
    /// Good teachers have 65 to 70 % at temperatures that were tuned by hand.
    static let entropyShare = 2.0 / 3
    /// The range of temperatures that is searched.
    ///
    /// Below it, the noise of a teacher that distinguishes few kinds would become the targets.
    static let temperatures = 0.005...1.0
    /// The useful range of the entropy share. Below it targets are almost one-hot, above it almost uniform.
    static let useful = 0.05...0.97

    private static let centreName = "centre", temperatureName = "temperature"

    init() {}

    /// Reads the state kept with a queue of rows of D numbers.
    init(_ document: TensorDocument, dimension D: Int) throws {
        if document.tensors[Self.centreName] != nil {
            let mean = SharedMean(try document.tensor(Self.centreName, .f32, shape: [D]).floats())
            guard mean.length > 0, mean.length <= 1 + NormalizedRowCheck.tolerance else {
                throw document.failure("has a '\(Self.centreName)' of length \(Progress.short(mean.length)) where 0 to 1 is expected")
            }
            centre = mean
        }
        if document.tensors[Self.temperatureName] != nil {
            let values = try unsafe document.tensor(Self.temperatureName, .f64, shape: [1]).withElements(as: Double.self) { unsafe Array($0) }
            guard let value = values.first, Temperature.range.contains(value) else {
                throw document.failure("has '\(Self.temperatureName)' = \(values) where a temperature is expected")
            }
            temperature = value
        }
    }

    /// The state to keep with the queue.
    var tensors: [String: Tensor] {
        var tensors: [String: Tensor] = [:]
        tensors[Self.centreName] = centre.map { Tensor(f32: $0.values, shape: [$0.dimension]) }
        tensors[Self.temperatureName] = temperature.map { Tensor(f64: [$0], shape: [1]) }
        return tensors
    }

    /// Estimates the mean that `rows` (n, D) share, and subtracts it from them unless it is small.
    ///
    /// - Returns: a note for the user.
    mutating func findCentre(_ rows: inout [Float], dimension D: Int) -> String? {
        let cosine = unsafe rows.withUnsafeBufferPointer { unsafe MeanCosine.of($0, dimension: D) } ?? 0
        guard rows.count >= TeacherSample.fewest * D, cosine > Self.smallestMean * Self.smallestMean, cosine < 1 - 1e-6 else { return nil }
        let mean = unsafe rows.withUnsafeBufferPointer { unsafe SharedMean(of: $0, dimension: D) }
        mean.takeOff(&rows)
        centre = mean
        return "the teacher's embeddings share a mean of length \(Progress.fixed(mean.length, 2)), which is subtracted "
            + "(--centre none keeps it, as published)"
    }

    /// Estimates the temperature, or judges a given one.
    ///
    /// - Parameters:
    ///   - rows: embeddings (n, D), without the mean if it is subtracted.
    ///   - given: nil to estimate it.
    ///   - capacity: K.
    /// - Returns: a note for the user.
    mutating func findTemperature(_ rows: [Float], dimension D: Int, given: Double?, capacity: Int) -> String? {
        let count = rows.count / D
        guard count >= TeacherSample.fewest else {
            if given == nil { temperature = Temperature.published }
            return given == nil
                ? "\(count) embeddings are too few to find a temperature; it is \(Temperature.published), as published" : nil
        }
        let cosine = unsafe rows.withUnsafeBufferPointer { unsafe MeanCosine.of($0, dimension: D) } ?? 0
        guard cosine < 1 - 1e-6 else {
            if given == nil { temperature = Temperature.published }
            return "the teacher's embeddings are all alike, and nothing can be learnt from them; check the teacher and its images"
        }
        let targets = unsafe rows.withUnsafeBufferPointer { unsafe TargetEntropy($0, dimension: D, capacity: capacity) }
        let percent = { (share: Double) in Progress.fixed(100 * share, share < 0.1 || share > 0.9 ? 1 : 0) + " %" }
        let found = targets.temperature(share: Self.entropyShare, in: Self.temperatures)
        let share = targets.share(at: given ?? found)
        guard let given else {
            temperature = found
            return "the teacher's temperature is \(found): according to its first \(count) embeddings, the targets then have \(percent(share)) of the largest entropy, ln(K+1)"
        }
        guard !Self.useful.contains(share) else { return nil }
        return "at the teacher's temperature of \(given) the targets are all but \(share < 0.5 ? "one-hot" : "uniform"): they have "
            + "\(percent(share)) of the largest entropy, ln(K+1), and little can be learnt from them; --teacher-temperature auto takes \(found) "
            + "(\(percent(targets.share(at: found))))"
    }
}

import Evaluation
import TestSupport

extension Golden {
    /// The golden file from evaluation.py.
    static func evaluation() throws -> Golden { try Golden("evaluation") }

    func labels(_ name: String) throws -> [Int32] { try integers(name).map(Int32.init) }
    func matrix(_ name: String) throws -> FeatureMatrix {
        let shape = try shape(name)
        return FeatureMatrix(try floats(name), samples: shape[0], dimension: shape[1])
    }
}

/// The largest difference.
func difference(_ a: [Float], _ b: [Float]) -> Float {
    guard a.count == b.count else { return .infinity }
    return zip(a, b).reduce(0) { worst, pair in
        let distance = abs(pair.0 - pair.1)
        return distance.isNaN ? .infinity : max(worst, distance)
    }
}

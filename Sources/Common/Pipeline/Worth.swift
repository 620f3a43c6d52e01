public import TensorStreams

/// Key results of a network in %, from the output of `evaluate`.
public enum Worth {
    /// From `evaluate knn`: the top-1 accuracy with ten neighbours and majority vote.
    public static func nearest(_ result: JSON) -> Double? {
        result["results"]?.asArray?.first { $0["k"]?.asInteger == 10 && $0["vote"]?.asString == "majority" }?["top1"]?.asNumber
    }

    /// From `evaluate quality`: the share of the nearest images that are also nearest for the teacher.
    public static func teachersNeighbours(_ result: JSON) -> Double? { result["agreement"]?.asArray?.last?["share"]?.asNumber.map { 100 * $0 } }
}

public import TensorStreams

/// What a network is worth in a few numbers, in %, of what `evaluate` has written.
public enum Worth {
    /// Of `evaluate knn`: the top-1 accuracy by ten neighbours and the majority.
    public static func nearest(_ result: JSON) -> Double? {
        result["results"]?.asArray?.first { $0["k"]?.asInteger == 10 && $0["vote"]?.asString == "majority" }?["top1"]?.asNumber
    }

    /// Of `evaluate quality`: how many of the nearest images are the teacher's too.
    public static func teachersNeighbours(_ result: JSON) -> Double? { result["agreement"]?.asArray?.last?["share"]?.asNumber.map { 100 * $0 } }
}

import Evaluation
import TensorStreams
import ToolSupport

/// Selected samples of a feature stream, in the order of the stream.
struct SampledFeatures {
    let features: FeatureMatrix
    /// The labels; 0 if the stream has none.
    let labels: [Int32]
    /// The numbers of the images in the data.
    let images: [Int]
    /// The positions of the samples in the stream.
    let places: [Int]
    let classes: [String]

    /// - Parameter keep: whether to keep the sample with this position and label. It is called for all samples in
    ///   order.
    init(_ path: String, hasLabels: Bool, keep: (_ place: Int, _ label: Int32) -> Bool) throws {
        let stream = try FeatureStream(path, tensor: "features", needsLabels: hasLabels)
        var values: [Float] = [], labels: [Int32] = [], images: [Int] = [], places: [Int] = [], seen = 0
        while let batch = try stream.next() {
            for row in batch.labels.indices {
                if keep(seen + row, batch.labels[row]) {
                    values += batch.features[row * stream.dimension..<(row + 1) * stream.dimension]
                    labels.append(batch.labels[row])
                    images.append(batch.images[row])
                    places.append(seen + row)
                }
            }
            seen += batch.labels.count
        }
        features = FeatureMatrix(values, samples: places.count, dimension: stream.dimension)
        (self.labels, self.images, self.places, classes) = (labels, images, places, stream.classes ?? [])
    }

    /// The rows of the samples at these positions; nil if one of them is missing.
    func rows(_ wanted: [Int]) -> FeatureMatrix? {
        let known = Dictionary(places.enumerated().map { ($1, $0) }, uniquingKeysWith: { $1 }), rows = wanted.compactMap { known[$0] }
        return rows.count == wanted.count ? features.rows(rows) : nil
    }
}

import Platform

/// Resizes the position embeddings of a square grid of patches, in the same way as the programs that trained them.
public enum PositionGrid {
    /// The interpolation; the raw values are those in checkpoint metadata. All are PyTorch's `interpolate` with mode
    /// `bicubic`, without aligned corners.
    public enum Interpolation: String, Sendable, CaseIterable {
        /// To the given size: transformers' ViT and DINOv2.
        case plain = "bicubic"
        /// By the factor (size + 0.1) / √positions: facebookresearch/dino, and dinov2 without registers.
        case offset = "bicubic, size + 0.1"
        /// To the given size, with a filter widened to the step if that is more than 1: timm, and dinov2 with
        /// registers.
        case antialiased = "bicubic, antialiased"
    }

    /// Returns (h·w, C) from `positions` (G·G, C).
    public static func resized(_ positions: [Float], G: Int, h: Int, w: Int, C: Int, _ interpolation: Interpolation) -> [Float] {
        precondition(positions.count == G * G * C)
        guard h != G || w != G else { return positions }
        let columns = kernelWeights(from: G, to: w, interpolation), rows = kernelWeights(from: G, to: h, interpolation)
        // First along x, then along y.
        var wide = [Double](repeating: 0, count: G * w * C), result = [Float](repeating: 0, count: h * w * C)
        for y in 0..<G {
            for (x, weights) in columns.enumerated() {
                for (source, weight) in weights { for c in 0..<C { wide[(y * w + x) * C + c] += weight * Double(positions[(y * G + source) * C + c]) } }
            }
        }
        var line = [Double](repeating: 0, count: w * C)
        for (y, weights) in rows.enumerated() {
            for i in 0..<(w * C) { line[i] = 0 }
            for (source, weight) in weights { for i in 0..<(w * C) { line[i] += weight * wide[source * w * C + i] } }
            for i in 0..<(w * C) { result[y * w * C + i] = Float(line[i]) }
        }
        return result
    }

    /// For each of `size` output positions, the source positions of G that it reads and their weights.
    private static func kernelWeights(from G: Int, to size: Int, _ interpolation: Interpolation) -> [[(source: Int, weight: Double)]] {
        let step = switch interpolation {
        case .plain, .antialiased: Double(G) / Double(size)
        case .offset: Double(G) / (Double(size) + 0.1)
        }
        return (0..<size).map { place in
            let centre = (Double(place) + 0.5) * step
            guard interpolation == .antialiased else {
                let first = (centre - 0.5).rounded(.down), t = centre - 0.5 - first
                return (-1...2).map { (min(max(Int(first) + $0, 0), G - 1), cubic(Double($0) - t, -0.75)) }
            }
            let width = max(step, 1), begin = max(Int(centre - 2 * width + 0.5), 0), end = min(Int(centre + 2 * width + 0.5), G)
            let weights = (begin..<end).map { cubic((Double($0) + 0.5 - centre) / width, -0.5) }, sum = weights.reduce(0, +)
            return zip(begin..<end, weights).map { ($0, $1 / sum) }
        }
    }

    /// Keys' cubic convolution kernel (1981) with parameter a.
    private static func cubic(_ x: Double, _ a: Double) -> Double {
        let x = abs(x)
        if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0
    }
}

import Parallel

/// The conversion of bytes to floats: (v/255 − mean) / deviation, per channel.
public struct Pixels: Sendable, Equatable {
    public var mean: [Float]
    public var deviation: [Float]

    public init(mean: [Float], deviation: [Float]) {
        precondition(mean.count == deviation.count)
        self.mean = mean
        self.deviation = deviation
    }

    var channels: Int { mean.count }

    /// The text form for a checkpoint's metadata: `RGB / 255, mean 0.5 0.5 0.5, deviation 0.5 0.5 0.5`.
    public var text: String {
        func list(_ values: [Float]) -> String { values.map { "\($0)" }.joined(separator: " ") }
        return Self.beginning + (self == .imageNet ? Self.imageNetWords : "mean \(list(mean)), deviation \(list(deviation))")
    }

    private static let beginning = "RGB / 255, ", imageNetWords = "ImageNet's mean and deviation"

    /// - Returns: nil if the text does not have the form of ``text``.
    public init?(text: String) {
        guard text.hasPrefix(Self.beginning) else { return nil }
        let rest = String(text.dropFirst(Self.beginning.count))
        if rest == Self.imageNetWords {
            self = .imageNet
            return
        }
        let parts = rest.split(separator: ",").map { $0.split(separator: " ") }
        guard parts.count == 2, parts[0].first == "mean", parts[1].first == "deviation" else { return nil }
        self.init(means: parts[0].dropFirst().map { Float($0) ?? .nan }, deviations: parts[1].dropFirst().map { Float($0) ?? .nan })
    }

    /// From values given by a user.
    ///
    /// - Returns: nil if the counts differ, or if the values are implausible for pixels: means must lie within ±10,
    ///   deviations in 0.001 … 100.
    public init?(means: [Float], deviations: [Float]) {
        guard !means.isEmpty, means.count == deviations.count, means.allSatisfy({ abs($0) <= 10 }), deviations.allSatisfy({ (0.001...100).contains($0) })
        else { return nil }
        self.init(mean: means, deviation: deviations)
    }

    /// ImageNet's means and deviations, as used by torchvision, MoCo and SEED.
    public static let imageNet = Pixels(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])

    /// v / 255 without further scaling, as in SimCLR.
    public static let plain = Pixels(mean: [0, 0, 0], deviation: [1, 1, 1])
    /// From −1 to 1, as in Inception and many transformers trained with TensorFlow.
    public static let inception = Pixels(mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5])
    /// SwAV's, which differs from ImageNet's in the deviation of red.
    public static let swav = Pixels(mean: [0.485, 0.456, 0.406], deviation: [0.228, 0.224, 0.225])
    /// (v − 127) / 128, as in TensorFlow's EfficientNet-Lite.
    public static let lite = Pixels(mean: [127.0 / 255, 127.0 / 255, 127.0 / 255], deviation: [128.0 / 255, 128.0 / 255, 128.0 / 255])

    /// Sets `x` (N, H, W, C) from the bytes of one view of `images` (N, V, H, W, C), read in the order `rows`.
    func normalize(
        _ images: UnsafePointer<UInt8>, views: Int, view: Int, rows: (Int) -> Int, N: Int, pixels: Int, into x: UnsafeMutablePointer<Float>
    ) {
        let C = channels
        var table = [Float](repeating: 0, count: 256 * C)
        for c in 0..<C {
            for v in 0..<256 { table[v * C + c] = (Float(v) / 255 - mean[c]) / deviation[c] }
        }
        table.withUnsafeBufferPointer { table in
            Parallel.forEach(N) { n, _ in
                let source = images + (rows(n) * views + view) * pixels * C, target = x + n * pixels * C
                if C == 3 {
                    for i in 0..<pixels {
                        target[3 * i] = table[Int(source[3 * i]) * 3]
                        target[3 * i + 1] = table[Int(source[3 * i + 1]) * 3 + 1]
                        target[3 * i + 2] = table[Int(source[3 * i + 2]) * 3 + 2]
                    }
                } else {
                    for i in 0..<pixels { for c in 0..<C { target[i * C + c] = table[Int(source[i * C + c]) * C + c] } }
                }
            }
        }
    }
}

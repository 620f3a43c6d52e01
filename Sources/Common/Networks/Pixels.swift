import Parallel

/// How bytes become numbers: (v/255 − mean) / deviation, for each channel.
public struct Pixels: Sendable, Equatable {
    public var mean: [Float]
    public var deviation: [Float]

    public init(mean: [Float], deviation: [Float]) {
        precondition(mean.count == deviation.count)
        self.mean = mean
        self.deviation = deviation
    }

    var channels: Int { mean.count }

    /// For the metadata of a checkpoint.
    public var text: String {
        self == .imageNet ? "RGB / 255, ImageNet's mean and deviation" : "RGB / 255, mean \(mean.map { "\($0)" }.joined(separator: " ")), deviation \(deviation.map { "\($0)" }.joined(separator: " "))"
    }

    /// ImageNet's means and deviations: what torchvision, MoCo and SEED use.
    public static let imageNet = Pixels(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])

    /// (v − 127) / 128: what TensorFlow's EfficientNet-Lite takes.
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

import Parallel

/// How bytes become numbers: (v/255 − mean) / deviation, for each of red, green, blue.
public struct Pixels: Sendable, Equatable {
    public var mean: [Float]
    public var deviation: [Float]

    public init(mean: [Float], deviation: [Float]) {
        self.mean = mean
        self.deviation = deviation
    }

    /// ImageNet's means and deviations: what torchvision, MoCo and SEED use.
    public static let imageNet = Pixels(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])

    /// Sets `x` (N, H, W, 3) from the bytes of one view of `images` (N, V, H, W, 3), read in the order `rows`.
    func normalize(
        _ images: UnsafePointer<UInt8>, views: Int, view: Int, rows: (Int) -> Int, N: Int, pixels: Int, into x: UnsafeMutablePointer<Float>
    ) {
        var table = [Float](repeating: 0, count: 768)
        for c in 0..<3 {
            for v in 0..<256 { table[v * 3 + c] = (Float(v) / 255 - mean[c]) / deviation[c] }
        }
        table.withUnsafeBufferPointer { table in
            Parallel.forEach(N) { n, _ in
                let source = images + (rows(n) * views + view) * pixels * 3
                let target = x + n * pixels * 3
                for i in 0..<pixels {
                    target[3 * i] = table[Int(source[3 * i]) * 3]
                    target[3 * i + 1] = table[Int(source[3 * i + 1]) * 3 + 1]
                    target[3 * i + 2] = table[Int(source[3 * i + 2]) * 3 + 2]
                }
            }
        }
    }
}

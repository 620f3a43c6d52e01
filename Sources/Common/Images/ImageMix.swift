public import Randomness

/// Mixes of two images of the same size, as bytes.
public enum ImageMix {
    /// MixUp (Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018): λ·x + (1 − λ)·y, rounded to the
    /// nearest byte.
    ///
    /// - Parameter target: of the same size; may be `x`.
    public static func blend(_ x: UnsafeRawBufferPointer, _ y: UnsafeRawBufferPointer, share: Double, into target: UnsafeMutableRawBufferPointer) {
        precondition(x.count == y.count && x.count == target.count && (0...1).contains(share))
        let (a, b) = (Float(share), Float(1 - share))
        for i in x.indices { target[i] = UInt8(min(255, a * Float(x[i]) + b * Float(y[i]) + 0.5)) }
    }

    /// CutMix (Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features",
    /// ICCV 2019): x, with y in a box.
    ///
    /// - Parameters:
    ///   - x: pixels (height, width, 3), like `y` and `target`.
    ///   - box: lies within the image.
    public static func paste(_ x: UnsafeRawBufferPointer, _ y: UnsafeRawBufferPointer, box: CropBox, width: Int, into target: UnsafeMutableRawBufferPointer) {
        precondition(x.count == y.count && x.count == target.count && (box.top + box.height) * width * 3 <= x.count && box.left + box.width <= width)
        target.copyMemory(from: x)
        for row in box.top..<box.top + box.height {
            let start = (row * width + box.left) * 3, part = start..<start + box.width * 3
            UnsafeMutableRawBufferPointer(rebasing: target[part]).copyMemory(from: UnsafeRawBufferPointer(rebasing: y[part]))
        }
    }

    /// A CutMix box, as in the authors' code and in BINGO: its area is 1 − λ of the image's with λ from Beta(2, 2), its
    /// centre is uniform over the image, and it is clipped to the image.
    public static func box(size: Int, using random: inout CounterRandom) -> CropBox {
        // The median of three uniform numbers has the distribution Beta(2, 2).
        let share = [random.uniform(), random.uniform(), random.uniform()].sorted()[1]
        let half = Int(Double(size) * (1 - share).squareRoot()) / 2
        let (x, y) = (random.below(size), random.below(size))
        let (left, top) = (max(0, x - half), max(0, y - half))
        return CropBox(left: left, top: top, width: min(size, x + half) - left, height: min(size, y + half) - top)
    }

    /// λ of a box: the share of the image that it does not cover.
    public static func share(_ box: CropBox, size: Int) -> Double { 1 - Double(box.width * box.height) / Double(size * size) }
}

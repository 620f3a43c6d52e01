public import Randomness

/// Mixes of two images of one size, as bytes.
public enum ImageMix {
    /// MixUp (Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018): λ·x + (1 − λ)·y, to the nearest byte.
    ///
    /// - Parameter target: as many bytes; may be `x`.
    public static func blend(_ x: UnsafeRawBufferPointer, _ y: UnsafeRawBufferPointer, share: Double, into target: UnsafeMutableRawBufferPointer) {
        precondition(x.count == y.count && x.count == target.count && (0...1).contains(share))
        let (a, b) = (Float(share), Float(1 - share))
        for i in x.indices { target[i] = UInt8(min(255, a * Float(x[i]) + b * Float(y[i]) + 0.5)) }
    }

    /// CutMix (Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", ICCV 2019): x, with y in a box.
    ///
    /// - Parameters:
    ///   - x: pixels (height, width, 3), as all three.
    ///   - box: lies in them.
    public static func paste(_ x: UnsafeRawBufferPointer, _ y: UnsafeRawBufferPointer, box: CropBox, width: Int, into target: UnsafeMutableRawBufferPointer) {
        precondition(x.count == y.count && x.count == target.count && (box.top + box.height) * width * 3 <= x.count && box.left + box.width <= width)
        target.copyMemory(from: x)
        for row in box.top..<box.top + box.height {
            let start = (row * width + box.left) * 3, part = start..<start + box.width * 3
            UnsafeMutableRawBufferPointer(rebasing: target[part]).copyMemory(from: UnsafeRawBufferPointer(rebasing: y[part]))
        }
    }

    /// A box of CutMix, as the authors' code and BINGO's draw it: its area is 1 − λ of the image's, λ of the distribution Beta(2, 2), its centre is anywhere, and what leaves the image is cut off.
    public static func box(size: Int, using random: inout CounterRandom) -> CropBox {
        // The median of three uniform numbers is distributed as Beta(2, 2).
        let share = [random.uniform(), random.uniform(), random.uniform()].sorted()[1]
        let half = Int(Double(size) * (1 - share).squareRoot()) / 2
        let (x, y) = (random.below(size), random.below(size))
        let (left, top) = (max(0, x - half), max(0, y - half))
        return CropBox(left: left, top: top, width: min(size, x + half) - left, height: min(size, y + half) - top)
    }

    /// λ of a box: the share of the image that it leaves.
    public static func share(_ box: CropBox, size: Int) -> Double { 1 - Double(box.width * box.height) / Double(size * size) }
}

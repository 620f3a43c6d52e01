import Platform
public import Randomness

/// A rectangle of whole pixels.
public struct CropBox: Sendable, Equatable {
    public var left: Int
    public var top: Int
    public var width: Int
    public var height: Int

    public init(left: Int, top: Int, width: Int, height: Int) {
        self.left = left
        self.top = top
        self.width = width
        self.height = height
    }

    /// A random part of an image, as torchvision's `RandomResizedCrop.get_params` draws it.
    ///
    /// Ten tries at an area of `scale` times the image's and a ratio of sides uniform in its logarithm; then the
    /// middle of the image with the nearest allowed ratio. The distributions are torchvision's, the numbers are ours.
    ///
    /// - Parameter scale: the least and greatest share of the image's area.
    public static func random(
        width: Int, height: Int, scale: ClosedRange<Double>, ratio: ClosedRange<Double> = 3.0 / 4...4.0 / 3, using random: inout CounterRandom
    ) -> CropBox {
        let area = Double(width * height)
        for _ in 0..<10 {
            let target = area * random.uniform(scale.lowerBound, scale.upperBound)
            let aspect = exp(random.uniform(log(ratio.lowerBound), log(ratio.upperBound)))
            let w = (target * aspect).squareRoot().rounded(.toNearestOrEven)
            let h = (target / aspect).squareRoot().rounded(.toNearestOrEven)
            if w > 0, w <= Double(width), h > 0, h <= Double(height) {
                let top = random.below(height - Int(h) + 1)
                let left = random.below(width - Int(w) + 1)
                return CropBox(left: left, top: top, width: Int(w), height: Int(h))
            }
        }
        return .middle(width: width, height: height, ratio: ratio)
    }

    /// A random part of an image as BYOL's code draws it: one area and one ratio, and sides that are cut where they are longer than the image's.
    public static func clipped(
        width: Int, height: Int, scale: ClosedRange<Double>, ratio: ClosedRange<Double> = 3.0 / 4...4.0 / 3, using random: inout CounterRandom
    ) -> CropBox {
        let target = Double(width * height) * random.uniform(scale.lowerBound, scale.upperBound)
        let aspect = exp(random.uniform(log(ratio.lowerBound), log(ratio.upperBound)))
        let w = max(1, min(Double(width), (target * aspect).squareRoot().rounded(.toNearestOrEven)))
        let h = max(1, min(Double(height), (target / aspect).squareRoot().rounded(.toNearestOrEven)))
        let top = random.below(height - Int(h) + 1)
        let left = random.below(width - Int(w) + 1)
        return CropBox(left: left, top: top, width: Int(w), height: Int(h))
    }

    /// The middle of an image, as much of it as has a ratio of sides in `ratio`.
    public static func middle(width: Int, height: Int, ratio: ClosedRange<Double>) -> CropBox {
        var (w, h) = (width, height)
        let own = Double(width) / Double(height)
        if own < ratio.lowerBound {
            h = Int((Double(w) / ratio.lowerBound).rounded(.toNearestOrEven))
        } else if own > ratio.upperBound {
            w = Int((Double(h) * ratio.upperBound).rounded(.toNearestOrEven))
        }
        // At least a pixel, also of a line of pixels, where torchvision would fail.
        w = max(1, min(w, width))
        h = max(1, min(h, height))
        return CropBox(left: (width - w) / 2, top: (height - h) / 2, width: w, height: h)
    }
}

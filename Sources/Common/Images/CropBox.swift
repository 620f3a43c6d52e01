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

    /// A random part of an image, like torchvision's `RandomResizedCrop.get_params`.
    ///
    /// It tries ten times to draw an area of `scale` times the image's, with an aspect ratio that is uniform in its
    /// logarithm. Then it falls back to the centre of the image with the nearest allowed ratio. The distributions are
    /// torchvision's, the random numbers are not.
    ///
    /// - Parameter scale: the smallest and largest share of the image's area.
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

    /// A random part of an image, like BYOL's code: one area and one aspect ratio, with sides clipped to the image's.
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

    /// The largest centred part of an image with an aspect ratio in `ratio`.
    public static func middle(width: Int, height: Int, ratio: ClosedRange<Double>) -> CropBox {
        var (w, h) = (width, height)
        let own = Double(width) / Double(height)
        if own < ratio.lowerBound {
            h = Int((Double(w) / ratio.lowerBound).rounded(.toNearestOrEven))
        } else if own > ratio.upperBound {
            w = Int((Double(h) * ratio.upperBound).rounded(.toNearestOrEven))
        }
        // At least one pixel, also for an image one pixel high or wide, where torchvision would fail.
        w = max(1, min(w, width))
        h = max(1, min(h, height))
        return CropBox(left: (width - w) / 2, top: (height - h) / 2, width: w, height: h)
    }
}

/// What is done to an image that has its size: 8 bits in, 8 bits out, the bytes of Pillow and torchvision.
public enum ImageOperation: Sendable, Equatable {
    case colour(ColourOperation)
    /// ``GaussianBlur`` of this deviation, in pixels.
    case blur(Double)
    /// Left and right change places.
    case flip
    /// S + factor · (x − S), S the image smoothed by 3×3 weights 1 and 5 in 13ths (Pillow's `SMOOTH`); the outermost pixels stay.
    case sharpness(Double)
    case affine(AffineOperation)

    /// Whether a flip before it does what a flip after it does.
    var commutesWithFlip: Bool {
        if case .affine = self { false } else { true }
    }
}

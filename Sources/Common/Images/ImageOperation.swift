/// An operation on an image of its final size: 8 bits in, 8 bits out, with the same bytes as Pillow and torchvision.
public enum ImageOperation: Sendable, Equatable {
    case colour(ColourOperation)
    /// ``GaussianBlur`` with this standard deviation, in pixels.
    case blur(Double)
    /// A horizontal flip.
    case flip
    /// S + factor · (x − S), where S is the image smoothed with 3×3 weights of 1 and 5 in 13ths (Pillow's `SMOOTH`);
    /// the outermost pixels stay.
    case sharpness(Double)
    case affine(AffineOperation)

    /// Whether a flip before the operation has the same effect as a flip after it.
    var commutesWithFlip: Bool {
        if case .affine = self { false } else { true }
    }
}

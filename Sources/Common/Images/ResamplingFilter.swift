/// How a resized image's pixels are weighted: Pillow's filters, widened where the image shrinks (antialias).
public enum ResamplingFilter: String, Sendable, CaseIterable {
    /// A triangle over one pixel to each side.
    case bilinear
    /// A cubic over two pixels to each side, a = −½ (Keys, IEEE ASSP 1981). Its weights may be negative.
    case bicubic

    /// Pixels to each side that count, where the image does not shrink.
    var support: Double { self == .bilinear ? 1 : 2 }

    /// The weight of a pixel at `distance` ≥ 0 from the middle (Pillow, `Resample.c`).
    @inline(__always)
    func weight(_ distance: Double) -> Double {
        switch self {
        case .bilinear: return distance < 1 ? 1 - distance : 0
        case .bicubic:
            let a = -0.5
            if distance < 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
            if distance < 2 { return (((distance - 5) * distance + 8) * distance - 4) * a }
            return 0
        }
    }
}

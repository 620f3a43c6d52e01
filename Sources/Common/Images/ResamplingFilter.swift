/// The filters of a resize: Pillow's, widened where the image shrinks (antialiasing).
public enum ResamplingFilter: String, Sendable, CaseIterable {
    /// A triangle with a support of one pixel on each side.
    case bilinear
    /// A cubic with a support of two pixels on each side, a = −½ (Keys, IEEE ASSP 1981). Its weights may be negative.
    case bicubic

    /// The support in pixels on each side, where the image does not shrink.
    var support: Double { self == .bilinear ? 1 : 2 }

    /// The weight of a pixel at `distance` ≥ 0 from the centre (Pillow, `Resample.c`).
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

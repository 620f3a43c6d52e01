import Randomness

/// The ground under the objects, the second attribute of a class. Its colours, scale and angle are independent of the
/// class.
public enum Ground: String, Sendable, CaseIterable {
    case plain, stripes, dots, checks, zigzags, nets
}

/// One instance of a ground's pattern.
struct Pattern {
    private let ground: Ground
    /// The distance in pixels from one stripe, dot or line to the next.
    private let period: Float
    /// The direction perpendicular to the pattern's columns, a unit vector.
    private let across: SIMD2<Float>
    private let phase: SIMD2<Float>

    init(_ ground: Ground, size: Float, _ random: inout CounterRandom) {
        self.ground = ground
        period = random.float(0.13, 0.18) * size
        across = direction(random.float(0, 2 * Float.pi))
        phase = SIMD2(random.float(0, 1), random.float(0, 1))
    }

    /// The share of the pattern's second colour at `point` (pixels), 0 to 1.
    func share(_ point: SIMD2<Float>) -> Float {
        // In units of cells: the integer part is the cell's number, and the rest, −½ to ½, the point within it.
        let at = SIMD2((point * across).sum(), (point * SIMD2(-across.y, across.x)).sum()) / period + phase
        let inside = at - at.rounded(.toNearestOrEven)
        switch ground {
        case .plain: return 0
        case .stripes: return coverage((abs(inside.x) - 0.25) * period)
        case .dots: return coverage((length(inside) - 0.32) * period)
        case .checks:
            let edge = (0.5 - max(abs(inside.x), abs(inside.y))) * period
            let odd = Int((at - inside).sum().rounded()) & 1 == 1
            return coverage(odd ? edge : -edge)
        case .zigzags:
            let bent = at.x + abs(inside.y) * 1.6
            return coverage((abs(bent - bent.rounded(.toNearestOrEven)) - 0.25) * period * 0.53)
        case .nets: return coverage((0.36 - max(abs(inside.x), abs(inside.y))) * period)
        }
    }
}

/// The share of a pixel inside an outline that is `distance` pixels away from its centre: a ramp one pixel wide.
@inline(__always)
func coverage(_ distance: Float) -> Float { max(0, min(1, 0.5 - distance)) }

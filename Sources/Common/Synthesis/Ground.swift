import Randomness

/// What the objects lie on, the other half of what a class is. Its colours, size and angle say nothing of the class.
public enum Ground: String, Sendable, CaseIterable {
    case plain, stripes, dots, checks, zigzags, nets
}

/// One drawing of a ground's pattern.
struct Pattern {
    private let ground: Ground
    /// Pixels from one stripe, dot or line to the next.
    private let period: Float
    /// The direction along which the pattern's columns follow each other, a unit vector.
    private let across: SIMD2<Float>
    private let phase: SIMD2<Float>

    init(_ ground: Ground, size: Float, _ random: inout CounterRandom) {
        self.ground = ground
        period = random.float(0.13, 0.18) * size
        across = direction(random.float(0, 2 * Float.pi))
        phase = SIMD2(random.float(0, 1), random.float(0, 1))
    }

    /// How much of the pattern's second colour there is at `point` (pixels), 0 to 1.
    func share(_ point: SIMD2<Float>) -> Float {
        // In cells: the cell's number is the whole part, the point in it, −½ to ½, the rest.
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

/// How much of a pixel lies inside an outline `distance` pixels away from its middle: a ramp one pixel wide.
@inline(__always)
func coverage(_ distance: Float) -> Float { max(0, min(1, 0.5 - distance)) }

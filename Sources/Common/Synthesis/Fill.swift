#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How a silhouette is filled, the other half of what a class is.
public enum Fill: String, Sendable, CaseIterable {
    case plain, striped, dotted, hollow
}

/// One drawing of a fill: its size, angle and phase are the object's own, and say nothing of the class.
struct Pattern {
    let fill: Fill
    /// Pixels from one stripe or dot to the next; the width of a hollow outline is a third of it.
    let period: Float
    /// The pattern's axes, whatever the object's.
    let across: SIMD2<Float>
    let phase: SIMD2<Float>

    /// How much of the second colour there is at `place` (pixels), `distance` pixels from the outline (negative inside): 0 to 1.
    func second(_ place: SIMD2<Float>, distance: Float) -> Float {
        switch fill {
        case .plain: return 0
        case .striped:
            let position = (place * across).sum() / period + phase.x
            return coverage(abs(position - position.rounded()) * period - 0.26 * period)
        case .dotted:
            let along = SIMD2(-across.y, across.x)
            let cell = SIMD2((place * across).sum(), (place * along).sum()) / period + phase
            return coverage(length(cell - cell.rounded(.toNearestOrEven)) * period - 0.31 * period)
        case .hollow: return coverage(distance + 0.36 * period)
        }
    }
}

/// How much of a pixel lies inside an outline `distance` pixels away from its middle: a ramp one pixel wide.
@inline(__always)
func coverage(_ distance: Float) -> Float { max(0, min(1, 0.5 - distance)) }

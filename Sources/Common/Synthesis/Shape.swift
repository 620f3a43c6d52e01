import Platform

/// A silhouette, the first attribute of a class.
///
/// None is the mirror image of another, and none turns into another by a small rotation: a class must survive the flips
/// and crops of self-supervised training.
public enum Shape: String, Sendable, CaseIterable {
    case ring, star, cross, crescent, heart, triangle, square, hourglass

    /// The signed distance from `p` to the outline, negative inside.
    ///
    /// The shape fits roughly into the unit circle around the origin; y points down. The distances are from Quilez, "2D
    /// distance functions"; unions and differences are exact near their outline, where it matters.
    func distance(_ p: SIMD2<Float>) -> Float {
        switch self {
        case .ring: return abs(length(p) - 0.69) - 0.25
        case .crescent: return max(length(p) - 0.95, 0.72 - length(p - SIMD2(0.5, -0.12)))
        case .heart: return Shape.heart(SIMD2(p.x, 0.98 - p.y) / 1.78) * 1.78
        case .star: return Shape.polygon(Shape.starCorners, p)
        case .cross: return Shape.polygon(Shape.crossCorners, p)
        case .triangle: return Shape.polygon(Shape.triangleCorners, p)
        case .square: return Shape.polygon(Shape.squareCorners, p)
        case .hourglass: return Shape.polygon(Shape.hourglassCorners, p)
        }
    }

    private static let starCorners = (0..<10).map { circle(10, radius: $0 % 2 == 0 ? 1.05 : 0.47)[$0] }
    private static let triangleCorners = circle(3, radius: 1.05).map { $0 + SIMD2(0, 0.2) }
    private static let squareCorners = corners([(-0.78, -0.78), (0.78, -0.78), (0.78, 0.78), (-0.78, 0.78)])
    private static let crossCorners = corners([
        (-0.33, -1), (0.33, -1), (0.33, -0.33), (1, -0.33), (1, 0.33), (0.33, 0.33),
        (0.33, 1), (-0.33, 1), (-0.33, 0.33), (-1, 0.33), (-1, -0.33), (-0.33, -0.33),
    ])
    private static let hourglassCorners = corners([(-0.8, -0.95), (0.8, -0.95), (0.17, 0), (0.8, 0.95), (-0.8, 0.95), (-0.17, 0)])

    private static func corners(_ points: [(Float, Float)]) -> [SIMD2<Float>] { points.map { SIMD2($0.0, $0.1) } }

    /// `count` points on a circle, starting at the top.
    private static func circle(_ count: Int, radius: Float) -> [SIMD2<Float>] {
        (0..<count).map { index in
            let angle = 2 * Float.pi * Float(index) / Float(count)
            return SIMD2(sinf(angle), -cosf(angle)) * radius
        }
    }

    /// The signed distance to a closed polygon: to the nearest edge; a point is inside where it has an odd number of
    /// edge crossings.
    static func polygon(_ corners: [SIMD2<Float>], _ p: SIMD2<Float>) -> Float {
        corners.withUnsafeBufferPointer { corners in
            var nearest = Float.infinity
            var sign: Float = 1
            var last = corners[corners.count - 1]
            for corner in corners {
                let edge = last - corner
                let to = p - corner
                let along = max(0, min(1, (to * edge).sum() / (edge * edge).sum()))
                let away = to - edge * along
                nearest = min(nearest, (away * away).sum())
                let below = p.y >= corner.y
                let above = p.y < last.y
                let left = edge.x * to.y > edge.y * to.x
                if (below && above && left) || (!below && !above && !left) { sign = -sign }
                last = corner
            }
            return sign * nearest.squareRoot()
        }
    }

    /// Quilez' heart: its tip at the origin, its dent at (0, 1), y up.
    private static func heart(_ p: SIMD2<Float>) -> Float {
        let p = SIMD2(abs(p.x), p.y)
        if p.x + p.y > 1 { return length(p - SIMD2(0.25, 0.75)) - 0.353_553_4 }
        let dent = length(p - SIMD2(0, 1))
        let flank = length(p - SIMD2(repeating: 0.5 * max(p.x + p.y, 0)))
        return p.x > p.y ? min(dent, flank) : -min(dent, flank)
    }
}

/// The Euclidean norm.
@inline(__always)
func length(_ p: SIMD2<Float>) -> Float { (p * p).sum().squareRoot() }

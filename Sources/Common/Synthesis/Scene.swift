import Platform
public import Randomness

/// A drawn image: up to five objects of one silhouette on a patterned ground, with clutter.
///
/// The position, size, rotation, number and colours of the objects, the colours, period and angle of the ground's
/// pattern, the shades and the clutter vary within a class. The objects are so many, and none very small, that a random
/// crop rarely misses all of them. Their luminance differs from the ground's, so that they remain visible without
/// colour. Lengths are relative to the image's side: a class looks the same at any size.
public enum Scene {
    /// Draws an image.
    ///
    /// - Returns: its bytes, [size, size, 3], red first.
    public static func draw(_ kind: ImageClass, size: Int, _ random: inout CounterRandom) -> [UInt8] {
        var painting = Painting(size: size)
        let base = Colours.any(&random, from: 0.42, to: 0.58)
        Background.paint(&painting, kind.ground, base: base, &random)
        for _ in 0..<random.below(5) { clutter(&painting, base: base, longest: 0.13, &random) }
        for placement in placements(&random) { object(&painting, kind.shape, placement, Colours.apart(0.34, from: [base], &random), &random) }
        for _ in 0..<random.below(3) { clutter(&painting, base: base, longest: 0.06, &random) }
        return painting.bytes(grain: random.float(0, 0.015), &random)
    }

    /// The position of an object, relative to the image's side.
    private struct Placement {
        let centre: SIMD2<Float>
        let radius: Float
    }

    /// Up to five placements that hardly overlap, with most of each object inside the image; fewer where there is no
    /// space left.
    private static func placements(_ random: inout CounterRandom) -> [Placement] {
        let wanted = 3 + random.below(3)
        let radii: ClosedRange<Float> = wanted == 3 ? 0.19...0.24 : wanted == 4 ? 0.17...0.22 : 0.15...0.2
        var placements: [Placement] = []
        var tries = 0
        while placements.count < wanted, tries < 40 {
            tries += 1
            let radius = random.float(radii.lowerBound, radii.upperBound)
            let margin = 0.75 * radius
            let centre = SIMD2(random.float(margin, 1 - margin), random.float(margin, 1 - margin))
            if placements.allSatisfy({ length($0.centre - centre) > 0.95 * ($0.radius + radius) }) {
                placements.append(Placement(centre: centre, radius: radius))
            }
        }
        return placements
    }

    private static func object(_ painting: inout Painting, _ shape: Shape, _ placement: Placement, _ colour: Painting.Colour, _ random: inout CounterRandom) {
        let side = Float(painting.size)
        let radius = placement.radius * side
        let turn = direction(random.float(-0.26, 0.26))
        let mirror: Float = random.below(2) == 0 ? 1 : -1
        let stretch = random.float(0.9, 1.11)
        painting.cover(placement.centre * side, reach: radius * 1.3 + 1) { at in
            let turned = SIMD2(at.x * turn.x + at.y * turn.y, at.y * turn.x - at.x * turn.y) / radius
            return (colour, coverage(shape.distance(SIMD2(turned.x * mirror * stretch, turned.y / stretch)) * radius))
        }
    }

    /// A stroke or a polygon of any colour, smaller than the objects and independent of the class.
    private static func clutter(_ painting: inout Painting, base: Painting.Colour, longest: Float, _ random: inout CounterRandom) {
        let side = Float(painting.size)
        let colour = random.below(2) == 0 ? Colours.any(&random) : Colours.near(base, within: 0.4, &random)
        let centre = SIMD2(random.float(0, 1), random.float(0, 1)) * side
        let length = random.float(0.04, longest) * side
        let angle = random.float(0, 2 * Float.pi)
        if random.below(2) == 0 {
            let width = random.float(0.008, 0.025) * side
            let end = direction(angle) * length
            painting.cover(centre, reach: length + width + 1) { at in
                let along = max(-1, min(1, (at * end).sum() / (end * end).sum()))
                return (colour, coverage(Synthesis.length(at - end * along) - width))
            }
        } else {
            let corners = (0..<4).map { direction(angle + Float($0) * (Float.pi / 2) + random.float(-0.6, 0.6)) * (length * random.float(0.4, 1)) }
            painting.cover(centre, reach: length + 1) { at in (colour, coverage(Shape.polygon(corners, at))) }
        }
    }
}

/// The unit vector at an angle from the x axis.
func direction(_ angle: Float) -> SIMD2<Float> { SIMD2(cosf(angle), sinf(angle)) }

import Randomness

/// The pattern of the ground over soft shades.
enum Background {
    /// Fills the painting with colours near `base`, so that objects of another luminance stand out everywhere.
    static func paint(_ painting: inout Painting, _ ground: Ground, base: Painting.Colour, _ random: inout CounterRandom) {
        let size = Float(painting.size)
        let first = Colours.near(base, within: 0.05, &random)
        let second = Colours.near(base, within: 0.05, &random)
        let clouds = Clouds(cells: random.float(1, 6), size: size, &random)
        let steepness = random.float(1, 4)
        let pattern = Pattern(ground, size: size, &random)
        let contrast = random.float(0.24, 0.36) * (random.below(2) == 0 ? 1 : -1)
        let relief = Colours.near(SIMD4(), within: 0.04, &random) + SIMD4(contrast, contrast, contrast, 0)
        painting.fill { point in
            let cloud = max(0, min(1, (clouds.value(point) - 0.5) * steepness + 0.5))
            return first + (second - first) * cloud + relief * (pattern.share(point) - 0.5)
        }
    }
}

/// Smooth noise from 0 to 1: values on a grid, plus a grid twice as fine with half the weight.
private struct Clouds {
    private let scale: Float
    private let values: [Float]
    private static let side = 16

    /// - Parameter cells: the width of the image in cells of the coarse grid, below 7.
    init(cells: Float, size: Float, _ random: inout CounterRandom) {
        scale = cells / size
        values = (0..<Clouds.side * Clouds.side).map { _ in random.float(0, 1) }
    }

    func value(_ point: SIMD2<Float>) -> Float { (2 * grid(point * scale) + grid(point * (2 * scale) + 0.37)) / 3 }

    private func grid(_ point: SIMD2<Float>) -> Float {
        let cell = point.rounded(.down)
        var part = point - cell
        part = part * part * (3 - 2 * part)
        let corner = Int(cell.y) * Clouds.side + Int(cell.x)
        return values.withUnsafeBufferPointer { values in
            let top = values[corner] + (values[corner + 1] - values[corner]) * part.x
            let below = corner + Clouds.side
            let bottom = values[below] + (values[below + 1] - values[below]) * part.x
            return top + (bottom - top) * part.y
        }
    }
}

import Randomness

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What lies behind the objects: of any kind in any class.
enum Background: CaseIterable {
    case gradient, clouds, blobs, bands, patches

    /// Fills the painting with colours near `base`, so that objects of another luminance stand out everywhere.
    static func paint(_ painting: inout Painting, base: Painting.Colour, _ random: inout CounterRandom) {
        let kind = allCases[random.below(allCases.count)]
        let first = Colours.near(base, within: 0.16, &random)
        let second = Colours.near(base, within: 0.16, &random)
        let size = Float(painting.size)
        let clouds = Clouds(cells: random.float(2, 7), size: size, &random)
        let angle = random.float(0, 2 * Float.pi)
        let axis = SIMD2(cosf(angle), sinf(angle)) / size
        let period = random.float(0.12, 0.5)
        let phase = random.float(0, 1)
        let bend = random.float(0, 0.25)
        painting.fill { place in
            let cloud = clouds.value(place)
            let share: Float
            switch kind {
            case .gradient: share = 0.5 + 0.7 * ((place - SIMD2(repeating: size / 2)) * axis).sum() + 0.2 * (cloud - 0.5)
            case .clouds: share = cloud
            case .blobs: share = max(0, min(1, (cloud - 0.5) * 6 + 0.5))
            case .bands:
                let position = ((place * axis).sum() + bend * cloud) / period + phase
                share = max(0, min(1, (abs(position - position.rounded()) - 0.25) * 5 + 0.5))
            case .patches: share = (cloud * 5).rounded() / 5
            }
            return first + (second - first) * share
        }
    }
}

/// Smooth noise between 0 and 1: values on a grid, and half as much of a grid twice as fine.
private struct Clouds {
    private let scale: Float
    private let values: [Float]
    private static let side = 20

    /// - Parameter cells: how many cells of the coarse grid the picture is wide, below 8.
    init(cells: Float, size: Float, _ random: inout CounterRandom) {
        scale = cells / size
        values = (0..<Clouds.side * Clouds.side).map { _ in random.float(0, 1) }
    }

    func value(_ place: SIMD2<Float>) -> Float { (2 * grid(place * scale) + grid(place * (2 * scale) + 0.37)) / 3 }

    private func grid(_ place: SIMD2<Float>) -> Float {
        let cell = place.rounded(.down)
        var part = place - cell
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

import Randomness

/// A square image that is being drawn: rows of pixels with red, green, blue from 0 to 1 (the fourth lane is unused).
struct Painting {
    typealias Colour = SIMD4<Float>
    let size: Int
    private(set) var pixels: [Colour]

    init(size: Int) {
        self.size = size
        pixels = [Colour](repeating: Colour(), count: size * size)
    }

    /// Sets every pixel to `colour` of its centre (pixels).
    mutating func fill(_ colour: (_ point: SIMD2<Float>) -> Colour) {
        let size = size
        pixels.withUnsafeMutableBufferPointer { pixels in
            for row in 0..<size {
                for column in 0..<size {
                    pixels[row * size + column] = colour(SIMD2(Float(column) + 0.5, Float(row) + 0.5))
                }
            }
        }
    }

    /// Blends paint over the pixels within `reach` of `centre` (pixels).
    ///
    /// - Parameter paint: for a point relative to `centre`, returns the colour and its opacity.
    mutating func cover(_ centre: SIMD2<Float>, reach: Float, _ paint: (_ point: SIMD2<Float>) -> (Colour, Float)) {
        let size = size
        func bounds(_ middle: Float) -> Range<Int> {
            let low = max(0, min(size, Int(middle - reach)))
            return low..<max(low, min(size, Int(middle + reach) + 1))
        }
        let columns = bounds(centre.x)
        let rows = bounds(centre.y)
        pixels.withUnsafeMutableBufferPointer { pixels in
            for row in rows {
                for column in columns {
                    let (colour, amount) = paint(SIMD2(Float(column) + 0.5, Float(row) + 0.5) - centre)
                    guard amount > 0 else { continue }
                    let below = pixels[row * size + column]
                    pixels[row * size + column] = below + (colour - below) * amount
                }
            }
        }
    }

    /// The image as bytes, [size, size, 3], with added noise of the given standard deviation.
    func bytes(grain: Float, _ random: inout CounterRandom) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: size * size * 3) { bytes, count in
            var next = 0
            for pixel in pixels {
                // The sum of four uniform bytes is nearly normal, with standard deviation √(4 · (256² − 1) / 12) =
                // 147.8.
                let word = random.nextWord()
                let sum = (word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24)
                let noise = (Float(sum) - 510) * (grain / 147.8)
                let value = ((pixel + noise) * 255).clamped(lowerBound: Colour(), upperBound: Colour(repeating: 255)).rounded(.toNearestOrEven)
                bytes[next] = UInt8(value.x)
                bytes[next + 1] = UInt8(value.y)
                bytes[next + 2] = UInt8(value.z)
                next += 3
            }
            count = next
        }
    }
}

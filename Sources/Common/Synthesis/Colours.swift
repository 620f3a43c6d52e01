import Randomness

/// Random colours that differ in luminance, because training sometimes removes the hue.
enum Colours {
    /// The value after grey conversion (ITU-R BT.601).
    static func luminance(_ colour: Painting.Colour) -> Float { (colour * SIMD4(0.299, 0.587, 0.114, 0)).sum() }

    static func any(_ random: inout CounterRandom, from low: Float = 0.03, to high: Float = 0.97) -> Painting.Colour {
        let grey = random.float(low, high)
        let hue = SIMD4(random.float(-1, 1), random.float(-1, 1), random.float(-1, 1), 0) * 0.2
        return (hue + (grey - luminance(hue))).clamped(lowerBound: SIMD4(), upperBound: SIMD4(repeating: 1))
    }

    /// A colour whose luminance differs by at least `apart` from each of `others`, or the best of 24 tries.
    static func apart(_ apart: Float, from others: [Painting.Colour], _ random: inout CounterRandom) -> Painting.Colour {
        var best = any(&random)
        var farthest: Float = -1
        for _ in 0..<24 {
            let colour = any(&random)
            let nearest = others.map { abs(luminance($0) - luminance(colour)) }.min() ?? 1
            if nearest > farthest { (best, farthest) = (colour, nearest) }
            if nearest >= apart { break }
        }
        return best
    }

    /// A colour near `colour`.
    static func near(_ colour: Painting.Colour, within spread: Float, _ random: inout CounterRandom) -> Painting.Colour {
        let shift = SIMD4(random.float(-spread, spread), random.float(-spread, spread), random.float(-spread, spread), 0)
        return (colour + shift).clamped(lowerBound: SIMD4(), upperBound: SIMD4(repeating: 1))
    }
}

extension CounterRandom {
    /// Uniform in [low, high), as a Float.
    mutating func float(_ low: Float, _ high: Float) -> Float { low + (high - low) * Float(nextWord() >> 8) * 0x1p-24 }
}

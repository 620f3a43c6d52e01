/// A per-pixel colour change as torchvision does it on PIL images: 8 bits in, 8 bits out, truncated.
public enum ColourOperation: Sendable, Equatable {
    /// factor · x
    case brightness(Double)
    /// m + factor · (x − m), where m is the rounded mean of the image's luma.
    case contrast(Double)
    /// L + factor · (x − L), where L is the pixel's luma.
    case saturation(Double)
    /// Rotates the hue by `factor` of a full circle, −0.5 to 0.5, in 8-bit HSV.
    case hue(Double)
    /// The luma in all three channels.
    case grey
    /// 255 − x where x is at least the threshold (`ImageOps.solarize`).
    case solarise(Double)
    /// Keeps this many upper bits, 1 to 8, and clears the others (`ImageOps.posterize`).
    case posterise(Int)
    /// Histogram equalisation of each channel to 0 to 255 (`ImageOps.equalize`).
    case equalise
    /// Stretches each channel to 0 to 255 (`ImageOps.autocontrast`).
    case autocontrast
}

extension Canvas {
    /// Applies `operations` in order, with the same bytes as one after the other, in as few passes as possible.
    ///
    /// Only contrast, equalise and autocontrast depend on more than one pixel. So the image is read once, and once more
    /// for each of these, and each pass applies all the operations up to the next of them.
    public func apply(_ operations: [ColourOperation]) {
        var steps: [Step] = []
        for operation in operations {
            switch operation {
            case .brightness(let factor): steps.append(.blend(factor: Float(factor), base: 0))
            case .contrast(let factor):
                let mean = pass(steps, measure: true)
                steps = [.blend(factor: Float(factor), base: mean)]
            case .saturation(let factor): steps.append(.saturation(factor: Float(factor)))
            case .hue(let factor): steps.append(.hue(shift: Float(UInt8(truncatingIfNeeded: Int32(factor * 255)))))
            case .grey: steps.append(.grey)
            case .solarise(let threshold): steps.append(.solarise(threshold: Float(threshold)))
            case .posterise(let bits): steps.append(.posterise(step: Float(1 << (8 - bits))))
            case .equalise, .autocontrast:
                if !steps.isEmpty { _ = pass(steps, measure: false) }
                steps = []
                let histogram = Histogram(self)
                apply(table: operation == .equalise ? histogram.equalised : histogram.stretched)
            }
        }
        if !steps.isEmpty { _ = pass(steps, measure: false) }
    }

    /// Applies `steps` to the image and returns the rounded mean of the resulting luma.
    private func pass(_ steps: [Step], measure: Bool) -> Float {
        let pixels = width * height
        let memory = UnsafeMutableRawPointer(bytes)
        // Each lane sums an eighth of the pixels: 32 bits are enough for the largest image.
        var sums = SIMD8<UInt32>.zero
        var surplus = SIMD8<UInt32>.zero
        steps.withUnsafeBufferPointer { steps in
            var byte = 0
            while byte < 4 * pixels {
                var colours = Colours(memory.loadUnaligned(fromByteOffset: byte, as: SIMD8<UInt32>.self))
                for step in steps { colours.apply(step) }
                if !steps.isEmpty { memory.storeBytes(of: colours.packed, toByteOffset: byte, as: SIMD8<UInt32>.self) }
                if measure {
                    surplus = Colours.integer(colours.luma)
                    sums &+= surplus
                }
                byte &+= 32
            }
        }
        guard measure else { return 0 }
        var sum = (0..<8).reduce(0) { $0 + Int(sums[$1]) }
        // The last eight may extend past the image.
        if pixels % 8 != 0 { for lane in pixels % 8..<8 { sum -= Int(surplus[lane]) } }
        return Float(Int(Double(sum) / Double(pixels) + 0.5))
    }
}

/// An operation with its precomputed constants.
private enum Step {
    case blend(factor: Float, base: Float)
    case saturation(factor: Float)
    case hue(shift: Float)
    case grey
    case solarise(threshold: Float)
    case posterise(step: Float)
}

private typealias Lanes = FloatLanes

/// Eight pixels; each channel is an integer from 0 to 255 stored as a float, which is exact.
private struct Colours {
    var red: Lanes
    var green: Lanes
    var blue: Lanes

    @inline(__always)
    init(_ pixels: SIMD8<UInt32>) {
        red = Colours.float(pixels & 255)
        green = Colours.float((pixels &>> 8) & 255)
        blue = Colours.float((pixels &>> 16) & 255)
    }

    @inline(__always)
    var packed: SIMD8<UInt32> {
        Colours.integer(red) | (Colours.integer(green) &<< 8) | (Colours.integer(blue) &<< 16)
    }

    /// The luma of ITU-R 601 in 16-bit fixed point, like Pillow's `convert("L")`. All sums stay below 2²⁴, so they are
    /// exact.
    @inline(__always)
    var luma: Lanes {
        Colours.floor((red * 19595 + green * 38470 + blue * 7471 + 32768) * 0x1p-16)
    }

    @inline(__always)
    mutating func apply(_ step: Step) {
        switch step {
        case .blend(let factor, let base):
            let base = Lanes(repeating: base), factor = Lanes(repeating: factor)
            red = Colours.blend(base, red, factor)
            green = Colours.blend(base, green, factor)
            blue = Colours.blend(base, blue, factor)
        case .saturation(let factor):
            let base = luma, factor = Lanes(repeating: factor)
            red = Colours.blend(base, red, factor)
            green = Colours.blend(base, green, factor)
            blue = Colours.blend(base, blue, factor)
        case .hue(let shift): turn(by: shift)
        case .grey:
            let base = luma
            (red, green, blue) = (base, base, base)
        case .solarise(let threshold):
            let threshold = Lanes(repeating: threshold)
            red.replace(with: 255 - red, where: red .>= threshold)
            green.replace(with: 255 - green, where: green .>= threshold)
            blue.replace(with: 255 - blue, where: blue .>= threshold)
        case .posterise(let step):
            let inverse = 1 / step
            red = Colours.floor(red * inverse) * step
            green = Colours.floor(green * inverse) * step
            blue = Colours.floor(blue * inverse) * step
        }
    }

    /// a + factor · (b − a), clipped and truncated (Pillow, `Blend.c`). It has two roundings, so no fused multiply-add.
    @inline(__always)
    private static func blend(_ a: Lanes, _ b: Lanes, _ factor: Lanes) -> Lanes {
        floor(minimum(maximum(a + factor * (b - a), .zero), Lanes(repeating: 255)))
    }

    /// Converts to 8-bit HSV, adds `shift` to the hue modulo 256, and converts back (Pillow, `Convert.c`).
    ///
    /// Pillow uses double precision in places. These single-precision forms give the same bytes for all 2²⁴ colours in
    /// both directions, which the tests verify.
    @inline(__always)
    private mutating func turn(by shift: Float) {
        let high = Colours.maximum(red, Colours.maximum(green, blue))
        let low = Colours.minimum(red, Colours.minimum(green, blue))
        let mid = red + green + blue - high - low
        let range = high - low
        let isGrey = range .== 0
        let divisor = range.replacing(with: 1, where: isGrey)
        let x = (high - mid) / divisor
        // Where red is the maximum, the hue is b' − g' sixths, where a prime denotes (high − c) / range; for green it
        // is 2 + r' − b', for blue 4 + g' − r'. One of the two is the lowest colour, whose prime is 1, and the other's
        // is x.
        let redLeads = red .== high
        let greenLeads = (green .== high) .& .!redLeads
        var base = Lanes(repeating: 4), plus = green, minus = red
        base.replace(with: 2, where: greenLeads)
        plus.replace(with: red, where: greenLeads)
        minus.replace(with: blue, where: greenLeads)
        base.replace(with: 0, where: redLeads)
        plus.replace(with: blue, where: redLeads)
        minus.replace(with: green, where: redLeads)
        var hue = (base - 1) + x
        hue.replace(with: (base + 1) - x, where: plus .<= minus)
        var turn = hue / 6
        turn.replace(with: turn + 1, where: turn .< 0)
        var angle = Colours.truncatedProduct(turn)
        angle.replace(with: 0, where: isGrey)
        let saturation = Colours.truncatedProduct(range / Colours.maximum(high, Lanes(repeating: 1)))

        angle += shift
        angle.replace(with: angle - 256, where: angle .>= 256)

        let scaled = angle * 6
        let sector = Colours.floor(scaled * (1 / 255))
        let part = (scaled - sector * 255) * (1 / 255)
        let strength = saturation * (1 / 255)
        let p = Colours.faded(high, strength)
        let q = Colours.faded(high, strength * part)
        let t = Colours.faded(high, strength * (1 - part))
        // Sector 6, a full turn, equals sector 0.
        let is1 = sector .== 1, is2 = sector .== 2, is3 = sector .== 3, is4 = sector .== 4, is5 = sector .== 5
        red = high
        red.replace(with: q, where: is1)
        red.replace(with: p, where: is2 .| is3)
        red.replace(with: t, where: is4)
        green = t
        green.replace(with: high, where: is1 .| is2)
        green.replace(with: q, where: is3)
        green.replace(with: p, where: is4 .| is5)
        blue = p
        blue.replace(with: t, where: is2)
        blue.replace(with: high, where: is3 .| is4)
        blue.replace(with: q, where: is5)
    }

    /// ⌊255 · x⌋ of the exact product: the residue shows where rounding has lifted it to an integer.
    @inline(__always)
    private static func truncatedProduct(_ x: Lanes) -> Lanes {
        let product = x * 255
        let residue = (-product).addingProduct(x, Lanes(repeating: 255))
        let whole = floor(product)
        return whole.replacing(with: whole - 1, where: (whole .== product) .& (residue .< 0))
    }

    /// value · (1 − strength), rounded.
    @inline(__always)
    private static func faded(_ value: Lanes, _ strength: Lanes) -> Lanes {
        floor(value.addingProduct(-value, strength) + 0.5)
    }

    @inline(__always)
    static func float(_ x: SIMD8<UInt32>) -> Lanes { Lanes(whole: x) }

    @inline(__always)
    static func integer(_ x: Lanes) -> SIMD8<UInt32> { x.bytes }

    @inline(__always)
    static func floor(_ x: Lanes) -> Lanes { x.rounded(.down) }

    @inline(__always)
    static func maximum(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: b .> a) }

    @inline(__always)
    static func minimum(_ a: Lanes, _ b: Lanes) -> Lanes { a.replacing(with: b, where: b .< a) }
}

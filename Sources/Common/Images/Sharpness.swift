extension Canvas {
    /// S + factor · (x − S), clipped and truncated, where S is x smoothed; `scratch` holds S.
    ///
    /// Pillow sums in single precision. (Σ + 4x) / 13 + ½ differs from an integer by at least 1/26, so every order of
    /// summation gives the same result.
    func sharpen(_ factor: Double, scratch: Canvas) throws {
        // Without inner pixels, S equals x.
        guard width > 2, height > 2 else { return }
        try scratch.reshape(width: width, height: height)
        let stride = 4 * width
        let pixels = UnsafeMutableRawPointer(bytes), smooth = UnsafeMutableRawPointer(scratch.bytes)
        smooth.copyMemory(from: pixels, byteCount: stride * height)
        for row in 1..<height - 1 {
            let line = UnsafeRawPointer(pixels) + stride * row
            var byte = 4
            while byte < stride - 4 {
                let at = line + byte
                var sum = Canvas.wide(at) &* 4
                for offset in [-stride, 0, stride] { sum &+= Canvas.wide(at + offset - 4) &+ Canvas.wide(at + offset) &+ Canvas.wide(at + offset + 4) }
                let mean = ((FloatLanes(whole: sum) + 6.5) * (1 / 13)).rounded(.down)
                smooth.storeBytes(of: SIMD8<UInt8>(truncatingIfNeeded: mean.bytes), toByteOffset: stride * row + byte, as: SIMD8<UInt8>.self)
                byte += 8
            }
            // Restores the row's last pixel, which the last step may have overwritten.
            (smooth + stride * (row + 1) - 4).copyMemory(from: UnsafeRawPointer(pixels) + stride * (row + 1) - 4, byteCount: 4)
        }
        let factor = SIMD8(repeating: Float(factor))
        var byte = 0
        while byte < stride * height {
            let base = FloatLanes(whole: Canvas.wide(smooth + byte)), value = FloatLanes(whole: Canvas.wide(pixels + byte))
            let blended = (base + factor * (value - base)).clamped(lowerBound: .zero, upperBound: SIMD8(repeating: 255)).rounded(.down)
            pixels.storeBytes(of: SIMD8<UInt8>(truncatingIfNeeded: blended.bytes), toByteOffset: byte, as: SIMD8<UInt8>.self)
            byte += 8
        }
    }

    @inline(__always)
    private static func wide(_ bytes: UnsafeRawPointer) -> SIMD8<UInt32> { SIMD8(truncatingIfNeeded: bytes.loadUnaligned(as: SIMD8<UInt8>.self)) }
}

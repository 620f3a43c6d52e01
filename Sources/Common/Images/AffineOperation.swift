import Platform

/// An affine transform of an image within its frame, like torchvision's `_apply_op`: nearest-neighbour sampling, black
/// outside the image.
public enum AffineOperation: Sendable, Equatable {
    /// x ← x + factor · y
    case shearX(Double)
    /// y ← y + factor · x
    case shearY(Double)
    /// A shift to the right by whole pixels.
    case translateX(Int)
    /// A shift downwards by whole pixels.
    case translateY(Int)
    /// A rotation around the centre, counterclockwise, in degrees.
    case rotate(Double)

    /// (a, b, c, d, e, f) for an image of this size: output pixel (x, y) comes from (a·x + b·y + c, d·x + e·y + f).
    ///
    /// The operations and their order match torchvision's `_get_inverse_affine_matrix` and Pillow's `Image.rotate`.
    func matrix(width: Int, height: Int) -> [Double] {
        switch self {
        case .shearX(let factor): AffineOperation.shear(degrees(atan(factor)), 0)
        case .shearY(let factor): AffineOperation.shear(0, degrees(atan(factor)))
        case .translateX(let pixels): [1, 0, -Double(pixels), 0, 1, 0]
        case .translateY(let pixels): [1, 0, 0, 0, 1, -Double(pixels)]
        case .rotate(let angle): AffineOperation.rotation(angle, Double(width) / 2, Double(height) / 2)
        }
    }

    private func degrees(_ radians: Double) -> Double { radians * (180 / Double.pi) }

    private static func shear(_ x: Double, _ y: Double) -> [Double] {
        let x = x * (Double.pi / 180), y = y * (Double.pi / 180)
        let a = cos(-y) / cos(y)
        let b = -cos(-y) * tan(x) / cos(y)
        let c = sin(-y) / cos(y)
        let d = -sin(-y) * tan(x) / cos(y) + 1
        return [d, -b, 0, -c, a, 0]
    }

    private static func rotation(_ angle: Double, _ x: Double, _ y: Double) -> [Double] {
        var angle = angle.truncatingRemainder(dividingBy: 360)
        if angle < 0 { angle += 360 }
        angle = -(angle * (Double.pi / 180))
        // Pillow rounds to 15 decimal places.
        func rounded(_ x: Double) -> Double { (x * 1e15).rounded(.toNearestOrEven) / 1e15 }
        let (a, b, d) = (rounded(cos(angle)), rounded(sin(angle)), rounded(-sin(angle)))
        return [a, b, a * -x + b * -y + x, d, a, d * -x + a * -y + y]
    }
}

extension Canvas {
    /// Writes this image, transformed by `operation`, into `target` (Pillow, `Geometry.c`: coordinates in 16.16 fixed
    /// point).
    func move(_ operation: AffineOperation, into target: Canvas) throws {
        try target.reshape(width: width, height: height)
        let m = operation.matrix(width: width, height: height)
        func fixed(_ x: Double) -> Int { Int((x * 65536 + 0.5).rounded(.down)) }
        let (a, b, d, e) = (fixed(m[0]), fixed(m[1]), fixed(m[3]), fixed(m[4]))
        var (rowX, rowY) = (fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), fixed(m[5] + m[3] * 0.5 + m[4] * 0.5))
        let pixels = UnsafeRawPointer(bytes), out = UnsafeMutableRawPointer(target.bytes)
        for y in 0..<height {
            var (x, source) = (rowX, rowY)
            for column in 0..<width {
                let (fromX, fromY) = (x >> 16, source >> 16)
                let inside = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height
                let pixel = inside ? pixels.load(fromByteOffset: 4 &* (width &* fromY &+ fromX), as: UInt32.self) : 0
                out.storeBytes(of: pixel, toByteOffset: 4 &* (width &* y &+ column), as: UInt32.self)
                x &+= a
                source &+= d
            }
            rowX &+= b
            rowY &+= e
        }
    }

    /// Flips the image horizontally.
    func flip() {
        let pixels = UnsafeMutableRawPointer(bytes).bindMemory(to: UInt32.self, capacity: width * height)
        for row in 0..<height {
            let line = pixels + width * row
            var (left, right) = (0, width - 1)
            while left < right {
                (line[left], line[right]) = (line[right], line[left])
                left += 1
                right -= 1
            }
        }
    }
}

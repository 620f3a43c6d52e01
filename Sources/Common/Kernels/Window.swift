import Platform

/// A sliding window over an image (N, H, W, C), as read by a convolution or pooling.
public struct Window: Sendable, Equatable {
    /// Input height and width.
    public let H, W: Int
    /// Input channels.
    public private(set) var C: Int
    /// Window height and width.
    public let R, S: Int
    /// The stride, and the zero rows and columns before the image. After the image there are as many as the output
    /// needs.
    public let stride, padding: Int
    /// Output height and width.
    public let outH, outW: Int

    /// Uses the same padding after the image as before it.
    public init(H: Int, W: Int, C: Int, kernel: Int, stride: Int, padding: Int) {
        self.init(H: H, W: W, C: C, kernel: kernel, stride: stride, before: padding, after: padding)
    }

    /// Uses the given padding before and after the image.
    ///
    /// - Precondition: the window fits into the padded image.
    public init(H: Int, W: Int, C: Int, kernel: Int, stride: Int, before: Int, after: Int) {
        precondition(min(H, W) + before + after >= kernel)
        (self.H, self.W, self.C) = (H, W, C)
        (R, S) = (kernel, kernel)
        self.stride = stride
        padding = before
        outH = (H + before + after - kernel) / stride + 1
        outW = (W + before + after - kernel) / stride + 1
    }

    /// TensorFlow's SAME padding: ⌈H / stride⌉ outputs, with the smaller half of the necessary zeros before the image.
    ///
    /// - Precondition: the padding above the image equals that to its left, as for a square image.
    public init(sameH H: Int, W: Int, C: Int, kernel: Int, stride: Int) {
        (self.H, self.W, self.C) = (H, W, C)
        (R, S) = (kernel, kernel)
        self.stride = stride
        (outH, outW) = ((H + stride - 1) / stride, (W + stride - 1) / stride)
        padding = max(0, (outH - 1) * stride + kernel - H) / 2
        precondition(padding == max(0, (outW - 1) * stride + kernel - W) / 2)
    }

    /// The same window over images of `C` channels.
    public func replacing(C: Int) -> Window {
        var window = self
        window.C = C
        return window
    }

    /// Whether the padding after the image equals that before it.
    public var isSymmetric: Bool { outH == (H + 2 * padding - R) / stride + 1 && outW == (W + 2 * padding - S) / stride + 1 }

    /// The number of floats in one patch: R·S·C.
    public var patch: Int { R * S * C }
    /// The number of output pixels of one image.
    public var outputPixels: Int { outH * outW }
    /// Whether a patch is one input pixel, so that the image already is its patch matrix.
    public var isPointwise: Bool { isSingle && stride == 1 }
    /// Whether a patch is one pixel of the image.
    public var isSingle: Bool { R == 1 && S == 1 && padding == 0 }

    /// Copies the patches of output pixels `range` (counted through the batch) into the rows of `patches` (T, R·S·C),
    /// which are `stride` floats apart. Positions outside the image are zero.
    public func im2col(_ x: UnsafePointer<Float>, pixels range: Range<Int>, into patches: UnsafeMutablePointer<Float>, stride: Int) {
        var (n, oy, ox) = position(range.lowerBound)
        for row in 0..<range.count {
            var out = patches + row * stride
            let image = x + n * H * W * C
            let x0 = ox * self.stride - padding
            let sLow = max(0, -x0), sHigh = min(S, W - x0)
            let y0 = oy * self.stride - padding
            if sLow == 0 && sHigh == S && y0 >= 0 && y0 + R <= H {
                // The patch is entirely inside, as most are.
                var row = image + (y0 * W + x0) * C
                for _ in 0..<R {
                    Rows.copy(row, to: out, count: S * C)
                    row += W * C
                    out += S * C
                }
                advance(&n, &oy, &ox)
                continue
            }
            for r in 0..<R {
                let y = y0 + r
                if y < 0 || y >= H || sHigh <= sLow {
                    memset(out, 0, S * C * 4)
                } else {
                    let row = image + (y * W + x0 + sLow) * C
                    if sLow > 0 { memset(out, 0, sLow * C * 4) }
                    Rows.copy(row, to: out + sLow * C, count: (sHigh - sLow) * C)
                    if sHigh < S { memset(out + sHigh * C, 0, (S - sHigh) * C * 4) }
                }
                out += S * C
            }
            advance(&n, &oy, &ox)
        }
    }

    /// The same for some columns, if a patch is one pixel.
    public func im2col(
        _ x: UnsafePointer<Float>, pixels range: Range<Int>, columns: Range<Int>, into patches: UnsafeMutablePointer<Float>, stride: Int
    ) {
        precondition(isSingle)
        var (n, oy, ox) = position(range.lowerBound)
        for row in 0..<range.count {
            let pixel = x + ((n * H + oy * self.stride) * W + ox * self.stride) * C
            Rows.copy(pixel + columns.lowerBound, to: patches + row * stride, count: columns.count)
            advance(&n, &oy, &ox)
        }
    }

    /// Adds the rows of `patches` (T, R·S·C) to the pixels of `dx` that ``im2col(_:pixels:into:stride:)`` copied them from.
    public func col2im(_ patches: UnsafePointer<Float>, pixels range: Range<Int>, addingTo dx: UnsafeMutablePointer<Float>) {
        var row = patches
        var (n, oy, ox) = position(range.lowerBound)
        for _ in range {
            let image = dx + n * H * W * C
            let x0 = ox * stride - padding
            let sLow = max(0, -x0), sHigh = min(S, W - x0)
            for r in 0..<R {
                let y = oy * stride - padding + r
                if y >= 0 && y < H && sHigh > sLow {
                    Rows.add(row + sLow * C, to: image + (y * W + x0 + sLow) * C, count: (sHigh - sLow) * C)
                }
                row += S * C
            }
            advance(&n, &oy, &ox)
        }
    }

    private func position(_ pixel: Int) -> (n: Int, y: Int, x: Int) {
        let (n, rest) = pixel.quotientAndRemainder(dividingBy: outputPixels)
        return (n, rest / outW, rest % outW)
    }

    @inline(__always)
    private func advance(_ n: inout Int, _ y: inout Int, _ x: inout Int) {
        x += 1
        if x == outW {
            x = 0
            y += 1
            if y == outH {
                y = 0
                n += 1
            }
        }
    }
}

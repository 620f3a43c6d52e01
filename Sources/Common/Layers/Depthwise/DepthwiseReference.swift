public import Kernels

/// The three directions of a ``Depthwise`` convolution by their definitions: the reference for its tests, and the place
/// to start reading.
///
/// Continue with `Depthwise.swift`, which keeps neighbouring sums in registers, `PaddedRows.swift`, which it reads
/// from, and `Depthwise+InPlace.swift`, for wide images. Sums are in double precision. Arrays and equations are those
/// of ``Depthwise``.
public struct DepthwiseReference: Sendable {
    public let window: Window

    public init(window: Window) { self.window = window }

    /// y[n, o, c] = Σ W[r, s, c] · x[n, o·stride + (r, s) − padding, c], without the zeros around the image.
    public func forward(x: [Float], W: [Float], N: Int) -> [Double] {
        var y = [Double](repeating: 0, count: N * window.outputPixels * window.C)
        forEachProduct(N) { yi, xi, wi in y[yi] += Double(W[wi]) * Double(x[xi]) }
        return y
    }

    public func backwardData(dy: [Float], W: [Float], N: Int) -> [Double] {
        var dx = [Double](repeating: 0, count: N * window.H * window.W * window.C)
        forEachProduct(N) { yi, xi, wi in dx[xi] += Double(W[wi]) * Double(dy[yi]) }
        return dx
    }

    public func backwardWeights(dy: [Float], x: [Float], N: Int) -> [Double] {
        var dW = [Double](repeating: 0, count: window.R * window.S * window.C)
        forEachProduct(N) { yi, xi, wi in dW[wi] += Double(dy[yi]) * Double(x[xi]) }
        return dW
    }

    /// Calls `body` with the indices of y, x and W for every product y += W·x.
    private func forEachProduct(_ N: Int, _ body: (_ y: Int, _ x: Int, _ W: Int) -> Void) {
        let (H, W, C) = (window.H, window.W, window.C)
        for n in 0..<N {
            for p in 0..<window.outH {
                for q in 0..<window.outW {
                    for r in 0..<window.R {
                        for s in 0..<window.S {
                            let (h, w) = (window.stride * p + r - window.padding, window.stride * q + s - window.padding)
                            guard h >= 0, h < H, w >= 0, w < W else { continue }
                            for c in 0..<C {
                                body(((n * window.outH + p) * window.outW + q) * C + c, ((n * H + h) * W + w) * C + c, (r * window.S + s) * C + c)
                            }
                        }
                    }
                }
            }
        }
    }
}

public import Kernels

/// The three directions of a ``Convolution`` by their definitions: the reference for tests of its algorithms, and the
/// place to start reading.
///
/// Sums are in double precision. Arrays and equations are those of ``Convolution``.
public struct ConvolutionReference: Sendable {
    public let window: Window
    public let K: Int

    public init(window: Window, K: Int) { (self.window, self.K) = (window, K) }

    /// Σ over the window, without the zeros around the image.
    public func forward(x: [Float], W: [Float], N: Int) -> [Double] {
        var y = [Double](repeating: 0, count: N * window.outputPixels * K)
        forEachProduct(N) { yi, xi, wi in y[yi] += Double(W[wi]) * Double(x[xi]) }
        return y
    }

    /// Every output passes its gradient to the pixels that contributed to it.
    public func backwardData(dy: [Float], W: [Float], N: Int) -> [Double] {
        var dx = [Double](repeating: 0, count: N * window.H * window.W * window.C)
        forEachProduct(N) { yi, xi, wi in dx[xi] += Double(W[wi]) * Double(dy[yi]) }
        return dx
    }

    /// Every output passes its gradient to the weights that contributed to it.
    public func backwardWeights(dy: [Float], x: [Float], N: Int) -> [Double] {
        var dW = [Double](repeating: 0, count: K * window.patch)
        forEachProduct(N) { yi, xi, wi in dW[wi] += Double(dy[yi]) * Double(x[xi]) }
        return dW
    }

    /// Calls `body` with the indices of y, x and W for every product y += W·x.
    private func forEachProduct(_ N: Int, _ body: (_ y: Int, _ x: Int, _ W: Int) -> Void) {
        let (H, W, C, R, S) = (window.H, window.W, window.C, window.R, window.S)
        for n in 0..<N {
            for p in 0..<window.outH {
                for q in 0..<window.outW {
                    for k in 0..<K {
                        for r in 0..<R {
                            for s in 0..<S {
                                let (h, w) = (window.stride * p + r - window.padding, window.stride * q + s - window.padding)
                                guard h >= 0, h < H, w >= 0, w < W else { continue }
                                for c in 0..<C {
                                    body(((n * window.outH + p) * window.outW + q) * K + k, ((n * H + h) * W + w) * C + c, ((k * R + r) * S + s) * C + c)
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

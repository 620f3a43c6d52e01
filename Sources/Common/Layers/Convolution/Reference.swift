public import Kernels

/// The three directions of a ``Convolution`` by their definitions: what its algorithms are tested against, and what a reader reads first.
///
/// Sums are in double precision. Arrays and equations are those of ``Convolution``.
public struct ConvolutionReference: Sendable {
    public let window: Window
    public let K: Int

    public init(window: Window, K: Int) { (self.window, self.K) = (window, K) }

    /// Σ over the window, the zeros around the image left out.
    public func forward(x: [Float], W: [Float], N: Int) -> [Double] {
        var y = [Double](repeating: 0, count: N * window.outputPixels * K)
        forEachProduct(N) { yi, xi, wi in y[yi] += Double(W[wi]) * Double(x[xi]) }
        return y
    }

    /// Every output gives its gradient to the pixels that it was made of.
    public func backwardData(dy: [Float], W: [Float], N: Int) -> [Double] {
        var dx = [Double](repeating: 0, count: N * window.H * window.W * window.C)
        forEachProduct(N) { yi, xi, wi in dx[xi] += Double(W[wi]) * Double(dy[yi]) }
        return dx
    }

    /// And to the weights that it was made with.
    public func backwardWeights(dy: [Float], x: [Float], N: Int) -> [Double] {
        var dW = [Double](repeating: 0, count: K * window.patch)
        forEachProduct(N) { yi, xi, wi in dW[wi] += Double(dy[yi]) * Double(x[xi]) }
        return dW
    }

    /// Calls `body` for every y += W·x there is, with the numbers of the three.
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

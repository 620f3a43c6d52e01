import Kernels
import Parallel

/// Squeeze-excite image by image: the second pass finds in the cache what the first pass has read or computed of an
/// image.
extension SqueezeExcite {
    /// Whether to process image by image.
    ///
    /// It requires enough images for several threads, few weights compared with an image's pixels (each image reads all
    /// weights), and images of at most 2 MB, which stay in the cache between the passes. Means and gates are then
    /// rounded slightly differently.
    func isByImage(N: Int, P: Int) -> Bool { N >= 16 && isByImage(P: P) }
    /// The same, for any number of images.
    func isByImage(P: Int) -> Bool { P >= 2 * K && P * C <= 1 << 19 }

    func forwardByImage(
        y: UnsafeMutablePointer<Float>, saved: UnsafeMutablePointer<Float>?, x: UnsafePointer<Float>, normalized: NormalizedInput?, _ parameters: Parameters,
        N: Int, P: Int, scratch: Scratch
    ) {
        let h = scratch.shared, saved = saved ?? h + N * K
        normalized.withPrologue(Images(
            layer: self, y: y, x: x, s: saved, u: saved + N * C, h: h, g: saved + N * (C + K), parameters: parameters, N: N, P: P))
    }

    private struct Images: PrologueBody {
        let layer: SqueezeExcite
        let y: UnsafeMutablePointer<Float>
        let x: UnsafePointer<Float>
        let s, u, h, g: UnsafeMutablePointer<Float>
        let parameters: Parameters
        let N, P: Int

        func run<R: Prologue>(_ prologue: R) {
            let (C, K) = (layer.C, layer.K)
            Parallel.forEach(N) { n, _ in
                let y = y + n * P * C
                layer.sumPixels(
                    WrittenValue(y: y, x: x + n * P * C, prologue: prologue), into: s + n * C, times: 1 / Float(P), P: P, layer.wholeImage)
                let (u, h, g) = (u + n * K, h + n * K, g + n * C), (W1, b1, W2, b2) = (parameters.W1, parameters.b1, parameters.W2, parameters.b2)
                for k in 0..<K { u[k] = b1[k] + dot(W1 + k * C, s + n * C, C) }
                Elementwise(layer.activation).forward(y: h, x: u, count: K)
                for c in 0..<C { g[c] = b2[c] + dot(W2 + c * K, h, K) }
                layer.openGates(g, C)
                layer.setPixels(y, 0..<P, GatedValue(x: y, g: g, prologue: PlainLoad()))
            }
        }
    }

    /// Sets dx and, for the parameters' gradients, dv (N, C), h and du (N, K). ds (N, C) is workspace.
    struct ImagesBackward: PrologueBody {
        let layer: SqueezeExcite
        let dx: UnsafeMutablePointer<Float>
        let dy, x, u, g: UnsafePointer<Float>
        let dv, ds, h, du: UnsafeMutablePointer<Float>
        let parameters: Parameters
        let N, P: Int

        func run<R: Prologue>(_ prologue: R) {
            let (C, K) = (layer.C, layer.K), share = 1 / Float(P)
            Parallel.forEach(N) { n, _ in
                let start = n * P * C
                layer.sumPixels(
                    GateGradient(dy: dy + start, x: x + start, prologue: prologue), into: dv + n * C, times: 1, P: P, layer.wholeImage)
                let (u, g, dv, ds, h, du) = (u + n * K, g + n * C, dv + n * C, ds + n * C, h + n * K, du + n * K)
                layer.throughGates(dv, g, C)
                Elementwise(layer.activation).forward(y: h, x: u, count: K)
                du.update(repeating: 0, count: K)
                for c in 0..<C { addMultiple(dv[c], parameters.W2 + c * K, to: du, K) }
                Elementwise(layer.activation).backward(dx: du, dy: du, x: u, count: K)
                ds.update(repeating: 0, count: C)
                for k in 0..<K { addMultiple(du[k] * share, parameters.W1 + k * C, to: ds, C) }
                layer.setPixels(dx + start, 0..<P, PixelGradient(dy: dy + start, g: g, ds: ds))
            }
        }
    }
}

/// Σ a·b
private func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
    var sum = Vector.zero
    forEachVector(count) { i, lanes in sum.addProduct(a.vector(i, lanes: lanes), b.vector(i, lanes: lanes)) }
    return sum.sum()
}

/// y += a·x
private func addMultiple(_ a: Float, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ count: Int) {
    let a = Vector(repeating: a)
    forEachVector(count) { i, lanes in y.store(y.vector(i, lanes: lanes).addingProduct(a, x.vector(i, lanes: lanes)), i, lanes: lanes) }
}

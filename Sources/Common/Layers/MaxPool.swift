public import Kernels
import Parallel

/// The maximum over a window, for each channel. `argmax` (N, H', W', C) records the position of the maximum within the
/// window.
public struct MaxPool: Sendable {
    public let window: Window

    public init(window: Window) { self.window = window }

    /// Sets y (N, H', W', C) and `argmax`. Among equal values the first counts, as in PyTorch; padding never counts.
    public func forward(y: UnsafeMutablePointer<Float>, argmax: UnsafeMutablePointer<UInt8>?, x: UnsafePointer<Float>, N: Int) {
        let (H, W, C) = (window.H, window.W, window.C)
        Parallel.forEach(N * window.outH) { line, _ in
            let (n, oy) = (line / window.outH, line % window.outH)
            let image = x + n * H * W * C
            for ox in 0..<window.outW {
                let pixel = (line * window.outW + ox) * C
                let y0 = oy * window.stride - window.padding, x0 = ox * window.stride - window.padding
                let rs = max(0, -y0)..<min(window.R, H - y0), ss = max(0, -x0)..<min(window.S, W - x0)
                // If nothing exceeds −∞, the first pixel inside the image counts.
                let first = rs.lowerBound * window.S + ss.lowerBound
                forEachVector(C) { c, lanes in
                    var best = Vector(repeating: -.infinity)
                    var index = SIMD16<Int32>(repeating: Int32(first))
                    for r in rs {
                        for s in ss {
                            let v = image.vector(((y0 + r) * W + x0 + s) * C + c, lanes: lanes)
                            let larger = (v .> best) .| (v .!= v)
                            best.replace(with: v, where: larger)
                            index.replace(with: Int32(r * window.S + s), where: larger)
                        }
                    }
                    y.store(best, pixel + c, lanes: lanes)
                    guard let argmax else { return }
                    let bytes = SIMD16<UInt8>(truncatingIfNeeded: index)
                    if lanes == 16 {
                        UnsafeMutableRawPointer(argmax + pixel + c).storeBytes(of: bytes, as: SIMD16<UInt8>.self)
                    } else {
                        for lane in 0..<lanes { argmax[pixel + c + lane] = bytes[lane] }
                    }
                }
            }
        }
    }

    /// Adds to `dx` or sets it: dx at the argmax receives dy.
    ///
    /// Each pixel of dx looks up the argmax of the windows that cover it, so that dx is written once and sequentially.
    public func backward(dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, argmax: UnsafePointer<UInt8>, N: Int) {
        let (H, W, C) = (window.H, window.W, window.C)
        Parallel.forEach(N * H) { line, _ in
            let (n, iy) = line.quotientAndRemainder(dividingBy: H)
            let rows = windows(over: iy, size: window.R, count: window.outH)
            for ix in 0..<W {
                let columns = windows(over: ix, size: window.S, count: window.outW)
                let target = dx + (line * W + ix) * C
                var sets = !adding
                for oy in rows {
                    let r = iy + window.padding - oy * window.stride
                    for ox in columns {
                        let own = Int32(r * window.S + ix + window.padding - ox * window.stride)
                        let pixel = ((n * window.outH + oy) * window.outW + ox) * C
                        let (dy, argmax) = (dy + pixel, argmax + pixel)
                        if sets {
                            forEachVector(C) { c, lanes in target.store(Self.chosen(dy, argmax, own, c, lanes), c, lanes: lanes) }
                            sets = false
                        } else {
                            forEachVector(C) { c, lanes in
                                target.store(target.vector(c, lanes: lanes) + Self.chosen(dy, argmax, own, c, lanes), c, lanes: lanes)
                            }
                        }
                    }
                }
                // No window covers it.
                if sets { target.update(repeating: 0, count: C) }
            }
        }
    }

    /// The windows, along one axis, that cover a pixel of the image.
    private func windows(over pixel: Int, size: Int, count: Int) -> Range<Int> {
        let last = min(count - 1, (pixel + window.padding) / window.stride)
        let before = pixel + window.padding - size
        let first = before < 0 ? 0 : before / window.stride + 1
        return first..<max(first, last + 1)
    }

    /// dy for the channels whose maximum was at index `own`, else 0.
    @inline(__always)
    private static func chosen(_ dy: UnsafePointer<Float>, _ argmax: UnsafePointer<UInt8>, _ own: Int32, _ c: Int, _ lanes: Int) -> Vector {
        var bytes = SIMD16<UInt8>.zero
        if lanes == 16 {
            bytes = UnsafeRawPointer(argmax + c).loadUnaligned(as: SIMD16<UInt8>.self)
        } else {
            for lane in 0..<lanes { bytes[lane] = argmax[c + lane] }
        }
        return dy.vector(c, lanes: lanes).replacing(with: 0, where: SIMD16<Int32>(truncatingIfNeeded: bytes) .!= SIMD16<Int32>(repeating: own))
    }
}

public import Kernels
import Parallel

/// The largest value under a window, for each channel. `taps` (N, H', W', C) remembers which place of the window it was.
public struct MaxPool: Sendable {
    public let window: Window

    public init(window: Window) { self.window = window }

    /// Sets y (N, H', W', C) and `taps`. The first of equal values counts, as in PyTorch; padding never does.
    public func forward(y: UnsafeMutablePointer<Float>, taps: UnsafeMutablePointer<UInt8>?, x: UnsafePointer<Float>, N: Int) {
        let (H, W, C) = (window.H, window.W, window.C)
        let tail = C / 16 * 16
        Parallel.forEach(N * window.outH) { line, _ in
            let (n, oy) = (line / window.outH, line % window.outH)
            let picture = x + n * H * W * C
            for ox in 0..<window.outW {
                let place = (line * window.outW + ox) * C
                let y0 = oy * window.stride - window.padding, x0 = ox * window.stride - window.padding
                let rs = max(0, -y0)..<min(window.R, H - y0), ss = max(0, -x0)..<min(window.S, W - x0)
                // Where nothing is larger than −∞ the first place inside the picture counts.
                let first = rs.lowerBound * window.S + ss.lowerBound
                var c = 0
                while c < tail {
                    var best = Vector(repeating: -.infinity)
                    var tap = SIMD16<Int32>(repeating: Int32(first))
                    for r in rs {
                        for s in ss {
                            let v = picture.vector(((y0 + r) * W + x0 + s) * C + c)
                            let larger = (v .> best) .| (v .!= v)
                            best.replace(with: v, where: larger)
                            tap.replace(with: Int32(r * window.S + s), where: larger)
                        }
                    }
                    y.store(best, place + c)
                    if let taps {
                        UnsafeMutableRawPointer(taps + place + c).storeBytes(of: SIMD16<UInt8>(truncatingIfNeeded: tap), as: SIMD16<UInt8>.self)
                    }
                    c += 16
                }
                while c < C {
                    var best = -Float.infinity
                    var tap = first
                    for r in rs {
                        for s in ss {
                            let v = picture[((y0 + r) * W + x0 + s) * C + c]
                            if v > best || v.isNaN { (best, tap) = (v, r * window.S + s) }
                        }
                    }
                    y[place + c] = best
                    taps?[place + c] = UInt8(truncatingIfNeeded: tap)
                    c += 1
                }
            }
        }
    }

    /// Adds to `dx`, or sets it: dx at the place of the largest value gets dy.
    public func backward(dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, taps: UnsafePointer<UInt8>, N: Int) {
        let (H, W, C) = (window.H, window.W, window.C)
        Parallel.forEach(N) { n, _ in
            let picture = dx + n * H * W * C
            if !adding { picture.update(repeating: 0, count: H * W * C) }
            for place in 0..<window.places {
                let (oy, ox) = (place / window.outW, place % window.outW)
                let base = (n * window.places + place) * C
                let corner = (oy * window.stride - window.padding) * W + ox * window.stride - window.padding
                for c in 0..<C {
                    let (r, s) = Int(taps[base + c]).quotientAndRemainder(dividingBy: window.S)
                    picture[(corner + r * W + s) * C + c] += dy[base + c]
                }
            }
        }
    }
}

/// The mean over all places of a picture, for each channel: (N, P, C) → (N, C).
public enum AveragePool {
    /// Sets y = Σₚ x[n, p] / P.
    public static func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, N: Int, P: Int, C: Int) {
        let share = 1 / Float(P)
        Parallel.forEach(N) { n, _ in
            let y = y + n * C
            y.update(repeating: 0, count: C)
            for p in 0..<P { Rows.add(x + (n * P + p) * C, to: y, count: C) }
            for c in 0..<C { y[c] *= share }
        }
    }

    /// Adds to `dx`, or sets it: dx[n, p] = dy[n] / P.
    public static func backward(dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, N: Int, P: Int, C: Int) {
        let share = 1 / Float(P)
        Parallel.forEach(N) { n, _ in
            for p in 0..<P {
                let dx = dx + (n * P + p) * C, dy = dy + n * C
                for c in 0..<C { dx[c] = adding ? dx[c] + dy[c] * share : dy[c] * share }
            }
        }
    }
}

import Kernels
import Parallel

/// The mean over all places of a picture, for each channel: (N, P, C) → (N, C).
public enum AveragePool {
    /// Sets y = Σₚ x[n, p] / P.
    public static func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, N: Int, P: Int, C: Int) {
        let share = 1 / Float(P)
        Parallel.forEach(N) { n, _ in
            let x = x + n * P * C, y = y + n * C
            y.update(repeating: 0, count: C)
            // Four places at a time: fewer ways through y, and fewer roundings.
            var p = 0
            while p + 4 <= P {
                forEachVector(C) { c, lanes in
                    let four = (x.vector(p * C + c, lanes: lanes) + x.vector((p + 1) * C + c, lanes: lanes))
                        + (x.vector((p + 2) * C + c, lanes: lanes) + x.vector((p + 3) * C + c, lanes: lanes))
                    y.store(y.vector(c, lanes: lanes) + four, c, lanes: lanes)
                }
                p += 4
            }
            while p < P {
                forEachVector(C) { c, lanes in y.store(y.vector(c, lanes: lanes) + x.vector(p * C + c, lanes: lanes), c, lanes: lanes) }
                p += 1
            }
            forEachVector(C) { c, lanes in y.store(y.vector(c, lanes: lanes) * share, c, lanes: lanes) }
        }
    }

    /// Adds to `dx`, or sets it: dx[n, p] = dy[n] / P.
    public static func backward(dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, N: Int, P: Int, C: Int) {
        let share = 1 / Float(P)
        let runs = max(1, N * P * C / 32768)
        Parallel.forEach(runs) { run, _ in
            for row in Parallel.part(run, of: runs, in: N * P) {
                let dx = dx + row * C, dy = dy + row / P * C
                if adding {
                    forEachVector(C) { c, lanes in
                        dx.store(dx.vector(c, lanes: lanes).addingProduct(dy.vector(c, lanes: lanes), Vector(repeating: share)), c, lanes: lanes)
                    }
                } else {
                    forEachVector(C) { c, lanes in dx.store(dy.vector(c, lanes: lanes) * share, c, lanes: lanes) }
                }
            }
        }
    }
}

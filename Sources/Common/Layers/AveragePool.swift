import Kernels
import Parallel

/// The mean over all pixels of an image, for each channel: (N, P, C) → (N, C).
public enum AveragePool {
    /// Sets y = Σₚ x[n, p] / P.
    public static func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, N: Int, P: Int, C: Int) {
        let share = 1 / Float(P)
        Parallel.forEach(N) { n, _ in
            let x = x + n * P * C, y = y + n * C
            // Sums 64 pixels at a time, so that small terms are not lost in a large sum.
            let sums = UnsafeMutablePointer<Float>.allocate(capacity: C)
            defer { sums.deallocate() }
            y.update(repeating: 0, count: C)
            for start in stride(from: 0, to: P, by: 64) {
                sums.initialize(repeating: 0, count: C)
                for p in start..<min(P, start + 64) { Rows.add(x + p * C, to: sums, count: C) }
                Rows.add(sums, to: y, count: C)
            }
            forEachVector(C) { c, lanes in y.store(y.vector(c, lanes: lanes) * share, c, lanes: lanes) }
        }
    }

    /// Adds to `dx` or sets it: dx[n, p] = dy[n] / P.
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

import Kernels
import Parallel
import ToolSupport

/// The measured peak performance of this machine: the reference for everything else.
///
/// Each value is the best of several short tries, since other load can only reduce it.
public enum MachinePeak {
    /// Billions of single-precision operations per second, two for a multiply-add, in registers only.
    ///
    /// Twelve independent sums hide the latency of any processor's multiply-add. Vectors of sixteen, eight and four
    /// floats are tried: where large vectors are emulated by smaller ones, their sums do not all fit into registers.
    /// Without fused multiply-add it takes two instructions.
    public static func gigaflops(threads: Int) -> Double {
        let variants: [(floats: Int, run: (Int) -> Float)] = [(16, fused), (8, fusedHalf), (4, apart)]
        var best = 0.0
        for variant in variants {
            // As many rounds as take a few milliseconds on any processor.
            var rounds = 1000
            var once = seconds(threads: threads) { _ = variant.run(rounds) }
            while once < 0.004, rounds < 1 << 40 {
                rounds *= 4
                once = seconds(threads: threads) { _ = variant.run(rounds) }
            }
            for _ in 0..<20 {
                let time = seconds(threads: threads) { _ = variant.run(rounds) }
                best = max(best, 2e-9 * Double(threads * sums * variant.floats * rounds) / time)
            }
        }
        return best
    }

    /// The seconds for a fixed amount of register work, some milliseconds, when every thread does it once.
    static func secondsOfFixedWork(threads: Int) -> Double {
        seconds(threads: threads) { precondition(fused(1 << 20).isFinite) }
    }

    /// Billions of bytes per second between the processor and its memory: a = b + s·c over arrays far larger than any
    /// cache.
    ///
    /// The three arrays count once each, as in McCalpin's STREAM.
    public static func gigabytes(threads: Int) -> Double {
        let count = 1 << 24, piece = 1 << 16
        let (a, b, c) = (FloatBuffer(count), FloatBuffer(count), FloatBuffer(count))
        // Pages that were never written all map to the same zero page.
        for buffer in [a, b, c] { buffer.pointer.update(repeating: 1, count: count) }
        var best = Double.infinity
        for _ in 0..<10 {
            let start = Progress.now()
            Parallel.forEach(count / piece, workers: threads) { number, _ in
                let start = number * piece
                for i in stride(from: start, to: start + piece, by: 16) { a.pointer.store(b.pointer.vector(i) + 3 * c.pointer.vector(i), i) }
            }
            best = min(best, Progress.now() - start)
        }
        return 12e-9 * Double(count) / best
    }

    /// The seconds when every thread does `work` once.
    private static func seconds(threads: Int, _ work: () -> Void) -> Double {
        let start = Progress.now()
        Parallel.forEach(threads, workers: threads) { _, _ in work() }
        return Progress.now() - start
    }

    private static let sums = 12

    // The register work for all twelve sums. It is written out for each vector type, because in a generic function
    // Swift processes the elements one by one.

    @inline(never)
    private static func fused(_ rounds: Int) -> Float {
        let (m, p) = (SIMD16(repeating: 1 - 1 / Float(rounds + 1)), SIMD16(repeating: 1 / Float(rounds)))
        var (a, b, c, d, e, f) = (m, m + 1, m + 2, m + 3, m + 4, m + 5)
        var (g, h, i, j, k, l) = (p, p + 1, p + 2, p + 3, p + 4, p + 5)
        for _ in 0..<rounds {
            (a, b, c) = (p.addingProduct(a, m), p.addingProduct(b, m), p.addingProduct(c, m))
            (d, e, f) = (p.addingProduct(d, m), p.addingProduct(e, m), p.addingProduct(f, m))
            (g, h, i) = (p.addingProduct(g, m), p.addingProduct(h, m), p.addingProduct(i, m))
            (j, k, l) = (p.addingProduct(j, m), p.addingProduct(k, m), p.addingProduct(l, m))
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l).sum()
    }

    @inline(never)
    private static func fusedHalf(_ rounds: Int) -> Float {
        let (m, p) = (SIMD8(repeating: 1 - 1 / Float(rounds + 1)), SIMD8(repeating: 1 / Float(rounds)))
        var (a, b, c, d, e, f) = (m, m + 1, m + 2, m + 3, m + 4, m + 5)
        var (g, h, i, j, k, l) = (p, p + 1, p + 2, p + 3, p + 4, p + 5)
        for _ in 0..<rounds {
            (a, b, c) = (p.addingProduct(a, m), p.addingProduct(b, m), p.addingProduct(c, m))
            (d, e, f) = (p.addingProduct(d, m), p.addingProduct(e, m), p.addingProduct(f, m))
            (g, h, i) = (p.addingProduct(g, m), p.addingProduct(h, m), p.addingProduct(i, m))
            (j, k, l) = (p.addingProduct(j, m), p.addingProduct(k, m), p.addingProduct(l, m))
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l).sum()
    }

    /// Multiply and add as two instructions, without FMA.
    @inline(never)
    private static func apart(_ rounds: Int) -> Float {
        let (m, p) = (SIMD4(repeating: 1 - 1 / Float(rounds + 1)), SIMD4(repeating: 1 / Float(rounds)))
        var (a, b, c, d, e, f) = (m, m + 1, m + 2, m + 3, m + 4, m + 5)
        var (g, h, i, j, k, l) = (p, p + 1, p + 2, p + 3, p + 4, p + 5)
        for _ in 0..<rounds {
            (a, b, c, d, e, f) = (a * m + p, b * m + p, c * m + p, d * m + p, e * m + p, f * m + p)
            (g, h, i, j, k, l) = (g * m + p, h * m + p, i * m + p, j * m + p, k * m + p, l * m + p)
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l).sum()
    }
}

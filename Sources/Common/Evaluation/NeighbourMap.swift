import Kernels
import Parallel
import Platform

/// A map of features in the plane that preserves neighbourhoods: exact t-SNE.
///
///     p(j|i) = e^(−‖xᵢ−xⱼ‖²/2σᵢ²) / Σₖ …      σᵢ such that its entropy is ln(perplexity)      P = (p(j|i) + p(i|j)) / 2N
///     q = (1 + ‖yᵢ−yⱼ‖²)⁻¹ / Σ      ∂KL(P‖Q)/∂yᵢ = 4 Σⱼ (p − q)(1 + ‖yᵢ−yⱼ‖²)⁻¹ (yᵢ − yⱼ)
///
/// Van der Maaten and Hinton, JMLR 2008. The start is the principal components; P is twelve times as large for the
/// first third of the steps, at most 250, as in scikit-learn. Time and memory grow with the square of the number of
/// samples: use a few thousand at most. Nothing is random, and nothing depends on the threads.
public struct NeighbourMap: Sendable {
    /// Points in the plane, (samples, 2).
    public let coordinates: [Double]
    /// KL(P‖Q) at the end.
    public let divergence: Double

    private static let exaggeration = 12.0

    /// - Parameters:
    ///   - features: compared by their distance; normalise rows to length 1 first to use the cosine.
    ///   - perplexity: about how many neighbours count; reduced where there are few samples.
    public init(_ features: FeatureMatrix, perplexity: Double = 30, iterations: Int = 750) {
        let N = features.samples
        guard N > 3 else {
            (coordinates, divergence) = ((0..<N).flatMap { [Double($0), 0] }, 0)
            return
        }
        let P = Self.affinities(features, perplexity: min(perplexity, Double(N - 1) / 3))
        var y = Self.beginning(features), velocity = [Double](repeating: 0, count: 2 * N), gains = [Double](repeating: 1, count: 2 * N)
        let rate = max(Double(N) / Self.exaggeration / 4, 50)
        var divergence = 0.0
        for iteration in 0..<iterations {
            let isEarly = iteration < min(250, iterations / 3)
            let (gradient, kl) = Self.gradient(P, y, N, exaggeration: isEarly ? Self.exaggeration : 1, tellsDivergence: iteration == iterations - 1)
            divergence = kl
            let momentum = isEarly ? 0.5 : 0.8
            for i in y.indices {
                // Steps grow where the direction stays the same (Jacobs, 1988).
                gains[i] = velocity[i] * gradient[i] < 0 ? gains[i] + 0.2 : max(0.01, gains[i] * 0.8)
                velocity[i] = momentum * velocity[i] - rate * gains[i] * gradient[i]
                y[i] += velocity[i]
            }
        }
        (coordinates, self.divergence) = (y, divergence)
    }

    /// The first two principal components, scaled to standard deviation 10⁻⁴.
    private static func beginning(_ features: FeatureMatrix) -> [Double] {
        let N = features.samples, k = min(2, features.dimension), components = PrincipalComponents(features, k: k)
        let deviation = max(components.variances[0].squareRoot(), 1e-300)
        let scale = 1e-4 / deviation, x = components.coordinates
        return (0..<N).flatMap { n -> [Double] in [x[n * k] * scale, k > 1 ? x[n * k + 1] * scale : 0] }
    }

    /// The affinities P, (N, N).
    private static func affinities(_ features: FeatureMatrix, perplexity: Double) -> [Float] {
        let (N, D) = (features.samples, features.dimension), goal = log(perplexity)
        var p = [Float](repeating: 0, count: N * N)
        p.withUnsafeMutableBufferPointer { p in
            nonisolated(unsafe) let p = p
            Parallel.forEach(N) { i, _ in
                let distances = (0..<N).map { j -> Double in
                    var sum = 0.0
                    let (a, b) = (features.row(i), features.row(j))
                    for d in 0..<D { sum += Double(a[d] - b[d]) * Double(a[d] - b[d]) }
                    return sum
                }
                let nearest = distances.enumerated().reduce(Double.infinity) { $1.offset == i ? $0 : min($0, $1.element) }
                // β = 1/2σ², by bisection.
                var (low, high, beta) = (0.0, Double.infinity, 1.0), row = [Double](repeating: 0, count: N)
                for _ in 0..<100 {
                    var (sum, weighted) = (0.0, 0.0)
                    for j in 0..<N where j != i {
                        row[j] = exp(-beta * (distances[j] - nearest))
                        sum += row[j]
                        weighted += row[j] * (distances[j] - nearest)
                    }
                    let difference = log(sum) + beta * weighted / sum - goal
                    for j in 0..<N { row[j] /= sum }
                    if abs(difference) < 1e-5 { break }
                    if difference > 0 {
                        low = beta
                        beta = high == .infinity ? beta * 2 : (beta + high) / 2
                    } else {
                        high = beta
                        beta = (beta + low) / 2
                    }
                }
                for j in 0..<N { p[i * N + j] = Float(j == i ? 0 : row[j]) }
            }
        }
        var P = p
        for i in 0..<N { for j in 0..<i {
            let mean = max((p[i * N + j] + p[j * N + i]) / Float(2 * N), 1e-12)
            (P[i * N + j], P[j * N + i]) = (mean, mean)
        } }
        return P
    }

    /// The gradient of KL(exaggeration·P ‖ Q), and KL(P‖Q) if wanted, because its logarithms take as long as everything
    /// else.
    private static func gradient(_ P: [Float], _ y: [Double], _ N: Int, exaggeration: Double, tellsDivergence: Bool) -> ([Double], Double) {
        // For each row Σ q, Σ p ln p − p ln w, Σ p w (yᵢ − yⱼ), Σ w² (yᵢ − yⱼ), with w = (1 + d²)⁻¹.
        var sums = [Double](repeating: 0, count: 6 * N)
        sums.withUnsafeMutableBufferPointer { sums in
            P.withUnsafeBufferPointer { P in
                y.withUnsafeBufferPointer { y in
                    nonisolated(unsafe) let (sums, P, y) = (sums, P, y)
                    Parallel.forEach((N + 15) / 16) { piece, _ in
                        for i in piece * 16..<min(N, piece * 16 + 16) {
                            var (Z, kl, ax, ay, rx, ry) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
                            let (x0, y0) = (y[2 * i], y[2 * i + 1])
                            for j in 0..<N where j != i {
                                let (dx, dy) = (x0 - y[2 * j], y0 - y[2 * j + 1]), w = 1 / (1 + dx * dx + dy * dy), p = Double(P[i * N + j])
                                Z += w
                                if tellsDivergence, p > 1e-11 { kl += p * log(p / w) }
                                ax += p * w * dx
                                ay += p * w * dy
                                rx += w * w * dx
                                ry += w * w * dy
                            }
                            (sums[6 * i], sums[6 * i + 1], sums[6 * i + 2], sums[6 * i + 3], sums[6 * i + 4], sums[6 * i + 5]) = (Z, kl, ax, ay, rx, ry)
                        }
                    }
                }
            }
        }
        var (Z, kl) = (0.0, 0.0)
        for i in 0..<N {
            Z += sums[6 * i]
            kl += sums[6 * i + 1]
        }
        let mass = P.reduce(0.0) { $0 + Double($1) }
        let gradient = (0..<2 * N).map { place -> Double in
            let own = 6 * (place / 2) + place % 2
            return 4 * (exaggeration * sums[own + 2] - sums[own + 4] / Z)
        }
        return (gradient, kl + mass * log(Z))
    }
}

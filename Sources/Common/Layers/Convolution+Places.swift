import Kernels
import Parallel

/// Convolutions of images of so few places that most windows reach over the edge: one product for each pair of an output place p and
/// an input place q that some tap of the window joins, and none for what lies outside.
///
///     y[:, p] = Σ_{(p, q)} x[:, q]·Wᵀ[tap(p, q)]      dx[:, q] = Σ_{(p, q)} dy[:, p]·W[tap(p, q)]      dW[tap(p, q)] += dy[:, p]ᵀ·x[:, q]
///
/// Windows of 3×3 on 2×2 places take 16 products instead of 36. The rows of a product are the images of a batch.
extension Convolution {
    /// Whether it goes this way: at most four places each, of which the pairs are fewer than the direct products by a quarter.
    var byPlaces: Bool {
        guard window.R > 1, window.H * window.W <= 16, window.places <= 4 else { return false }
        return 4 * placePairs.count <= 3 * window.places * window.R * window.S
    }

    private var placePairs: [(p: Int, q: Int, tap: Int)] {
        var pairs: [(p: Int, q: Int, tap: Int)] = []
        for p in 0..<window.places {
            for r in 0..<window.R {
                for s in 0..<window.S {
                    let y = p / window.outW * window.stride + r - window.padding, x = p % window.outW * window.stride + s - window.padding
                    if y >= 0, y < window.H, x >= 0, x < window.W { pairs.append((p, y * window.W + x, r * window.S + s)) }
                }
            }
        }
        return pairs
    }

    private var taps: Int { window.R * window.S }
    private var tapPanels: Panels { Panels(k: window.C, n: K) }
    private var turnedTapPanels: Panels { Panels(k: K, n: window.C) }

    /// Images of one piece of work, at most.
    private static let imagesAtOnce = 56
    /// Panels that one piece makes: so few that there are pieces for many threads.
    private static func columnBlocks(_ panels: Panels) -> Int { (panels.count + 3) / 4 }

    func placesScratch(N: Int) -> Scratch.Need {
        let inputs = window.H * window.W * Convolution.stride(window.C), outputs = window.places * Convolution.stride(K)
        return Scratch.Need(
            worker: min(N, Convolution.imagesAtOnce) * max(inputs, outputs),
            shared: max(taps * max(tapPanels.floats, turnedTapPanels.floats), N * (inputs + outputs)))
    }

    var placesPackedCount: Int { taps * tapPanels.floats }

    func packPlaces(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) {
        let (panels, C, taps) = (tapPanels, window.C, taps)
        Parallel.forEach(taps * panels.count) { piece, _ in
            let (tap, panel) = (piece / panels.count, piece % panels.count)
            panels.pack(panel, of: W + tap * C, .transposed, ldb: taps * C, into: packed + tap * panels.floats)
        }
    }

    func forwardPlaces(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, packed: UnsafePointer<Float>, N: Int, finish: Finish?, scratch: Scratch) {
        let pairs = placePairs.map { (from: $0.q, to: $0.p, tap: $0.tap) }
        multiply(pairs, x, places: window.H * window.W, C: window.C, packed, tapPanels, to: y, places: window.places, K: K, N: N, adding: false, scratch)
        guard let finish else { return }
        let rows = N * window.places, pieces = (rows + 55) / 56
        Parallel.forEach(pieces) { piece, _ in
            let own = Parallel.part(piece, of: pieces, in: rows)
            Rows.finish(
                y + own.lowerBound * K, bias: finish.bias, residual: finish.residual.map { $0 + own.lowerBound * K }, finish.activation, rows: own.count,
                width: K)
        }
    }

    func backwardDataPlaces(
        dx: UnsafeMutablePointer<Float>, adding: Bool, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) {
        let (panels, C, taps, packed) = (turnedTapPanels, window.C, taps, scratch.shared)
        Parallel.forEach(taps * panels.count) { piece, _ in
            let (tap, panel) = (piece / panels.count, piece % panels.count)
            panels.pack(panel, of: W + tap * C, ldb: taps * C, into: packed + tap * panels.floats)
        }
        // Sums in the order of p.
        let pairs = placePairs.map { (from: $0.p, to: $0.q, tap: $0.tap) }
        multiply(pairs, dy, places: window.places, C: K, packed, panels, to: dx, places: window.H * window.W, K: C, N: N, adding: adding, scratch)
    }

    /// to[n, j] (+)= Σ from[n, i]·B[tap] over the pairs (i, j): (N, places, C) to (N, places, K). Places that no pair reaches become zero.
    private func multiply(
        _ pairs: [(from: Int, to: Int, tap: Int)], _ from: UnsafePointer<Float>, places: Int, C: Int, _ packed: UnsafePointer<Float>, _ panels: Panels,
        to: UnsafeMutablePointer<Float>, places targets: Int, K: Int, N: Int, adding: Bool, _ scratch: Scratch
    ) {
        let blocks = (N + Convolution.imagesAtOnce - 1) / Convolution.imagesAtOnce, groups = Convolution.columnBlocks(panels), stride = Convolution.stride(C)
        Parallel.forEach(blocks * groups, workers: scratch.workers) { piece, worker in
            let images = Parallel.part(piece / groups, of: blocks, in: N), own = Parallel.part(piece % groups, of: groups, in: panels.count)
            let columns = panels.columns(own.lowerBound).lowerBound..<panels.columns(own.upperBound - 1).upperBound
            let part = Panels(k: C, n: columns.count)
            // Rows of one place lie together, so that they spread over the cache.
            let memory = scratch.pointer(worker), plane = images.count * stride
            for place in 0..<places {
                Rows.copy(
                    from + (images.lowerBound * places + place) * C, stride: places * C, rows: images.count, columns: C, into: memory + place * plane,
                    stride: stride)
            }
            for target in 0..<targets {
                let result = to + (images.lowerBound * targets + target) * K + columns.lowerBound
                var isFirst = !adding
                for pair in pairs where pair.to == target {
                    Product.multiply(
                        memory + pair.from * plane, lda: stride, m: images.count, packed + pair.tap * panels.floats + columns.lowerBound * C, part,
                        into: result, ldc: targets * K, start: isFirst ? .zero : .result)
                    isFirst = false
                }
                if isFirst { for row in 0..<images.count { (result + row * targets * K).update(repeating: 0, count: columns.count) } }
            }
        }
    }

    func backwardWeightsPlaces(dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, N: Int, scratch: Scratch) {
        let (C, K, taps, pairs) = (window.C, K, taps, placePairs)
        let (inputs, outputs) = (window.H * window.W, window.places), (strideC, strideK) = (Convolution.stride(C), Convolution.stride(K))
        let rowsX = scratch.shared, rowsY = rowsX + inputs * N * strideC
        Parallel.forEach(inputs + outputs) { piece, _ in
            if piece < inputs {
                Rows.copy(x + piece * C, stride: inputs * C, rows: N, columns: C, into: rowsX + piece * N * strideC, stride: strideC)
            } else {
                let place = piece - inputs
                Rows.copy(dy + place * K, stride: outputs * K, rows: N, columns: K, into: rowsY + place * N * strideK, stride: strideK)
            }
        }
        let rows = 4 * Panels.rows, blocks = (K + rows - 1) / rows
        Parallel.forEach(taps * blocks) { piece, _ in
            let (tap, own) = (piece / blocks, Parallel.part(piece % blocks, of: blocks, in: K))
            for pair in pairs where pair.tap == tap {
                Product.multiplyTransposed(
                    rowsY + pair.p * N * strideK + own.lowerBound, lda: strideK, m: own.count, rowsX + pair.q * N * strideC, ldb: strideC, n: C, k: N,
                    into: dW + (own.lowerBound * taps + tap) * C, ldc: taps * C, start: .result)
            }
        }
    }
}

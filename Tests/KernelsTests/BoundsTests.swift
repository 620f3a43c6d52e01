import Kernels
import TestSupport
import Testing

/// Kernels on memory that begins or ends at inaccessible pages, in separate processes, because an access outside ends
/// the process.
@Suite struct BoundsTests {
    @Test(arguments: Side.allCases)
    func `the guard stops what reads past it, and only that`(side: Side) async {
        // By a signal, which a sanitizer turns into an exit.
        await #expect(processExitsWith: .failure) { [side = side as Side] in
            let memory = Guarded<Float>(1000, side)
            memory.pointer[0] = side == .end ? memory.pointer[1000] : memory.pointer[-1]
        }
        let memory = Guarded([1, 2, 3] as [Float], side)
        memory.pointer[1] = 5
        #expect(memory.values() == [1, 5, 3])
    }

    @Test(arguments: Side.allCases)
    func `products and packing stay within their matrices`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for n in [1, 3, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 49, 64, 65, 100] {
                for (turn, m) in [1, 2, 3, 5, 6, 7, 13, 14, 15, 29].enumerated() {
                    let k = [1, 2, 3, 7, 13, 64][(turn + n) % 6], gap = turn % 2 * 3, panels = Panels(k: k, n: n)
                    // The last row consists only of its columns.
                    func matrix(_ name: String, _ rows: Int, _ columns: Int) -> Guarded<Float> {
                        Guarded(formula(name, (rows - 1) * (columns + gap) + columns), side)
                    }
                    let a = matrix("a", m, k), transposedA = matrix("a", k, m), b = matrix("b", k, n), transposedB = matrix("b", n, k)
                    let packed = Guarded<Float>(panels.floats, side), again = Guarded<Float>(panels.floats, side)
                    for index in 0..<panels.count {
                        panels.pack(index, of: b.pointer, ldb: n + gap, into: packed.pointer)
                        panels.pack(index, of: transposedB.pointer, .transposed, ldb: k + gap, into: again.pointer)
                    }
                    // If the right factor is not packed, its last row extends to the end of the panel.
                    let rest = n % Panels.width, whole = n - rest + (rest == 0 ? 0 : (rest + 15) / 16 * 16)
                    let wide = Guarded(formula("b", (k - 1) * (whole + gap) + whole), side)
                    let c = matrix("c", m, n), residual = matrix("residual", m, n), bias = Guarded(formula("bias", n), side)
                    for epilogue in [
                        Epilogue(activation: .relu), Epilogue(accumulates: true), Epilogue(bias: bias.pointer), Epilogue(bias: bias.pointer, residual: residual.pointer),
                        Epilogue(accumulates: true, bias: bias.pointer, residual: residual.pointer, activation: .relu),
                    ] {
                        GEMM.multiply(a.pointer, lda: k + gap, m: m, packed.pointer, panels, into: c.pointer, ldc: n + gap, epilogue: epilogue)
                        GEMM.multiplyTransposed(
                            transposedA.pointer, lda: m + gap, m: m, wide.pointer, ldb: whole + gap, n: n, k: k, into: c.pointer, ldc: n + gap, accumulates: epilogue.accumulates)
                    }
                    #expect((packed.values() + again.values() + c.values()).allSatisfy { $0.isFinite })
                }
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `loops over rows stay within them`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for width in 1...67 {
                let rows = 3, y = Guarded(formula("y", rows * width), side), x = Guarded(formula("x", rows * width), side)
                let bias = Guarded(formula("bias", width), side), copy = Guarded<Float>((rows - 1) * (width + 3) + width, side)
                Rows.add(x.pointer, to: y.pointer, count: rows * width)
                Rows.addEach(bias.pointer, to: y.pointer, rows: rows, width: width)
                Rows.copy(x.pointer, stride: width, rows: rows, columns: width, into: copy.pointer, stride: width + 3)
                for activation in [Activation.none, .relu, .relu6, .hardSwish, .silu, .gelu] {
                    for residual in [nil, UnsafePointer(x.pointer)] {
                        Rows.apply(Epilogue(bias: bias.pointer, residual: residual, activation: activation), to: y.pointer, into: y.pointer, rows: rows, width: width)
                    }
                }
                let copied = copy.values()
                #expect((0..<rows).allSatisfy { row in (0..<width).allSatisfy { copied[row * (width + 3) + $0] == x.pointer[row * width + $0] } })
                #expect(y.values().allSatisfy { $0.isFinite })
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `windows stay within the image and the patches`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for w in WindowTests.windows {
                let N = 2, places = N * w.outputPixels, stride = w.patch + 5, size = N * w.H * w.W * w.C
                let x = Guarded(formula("x", size), side), dx = Guarded(formula("dx", size), side)
                let patches = Guarded<Float>((places - 1) * stride + w.patch, side), sums = Guarded(formula("p", places * w.patch), side)
                w.im2col(x.pointer, pixels: 0..<places, into: patches.pointer, stride: stride)
                w.col2im(sums.pointer, pixels: 0..<places, addingTo: dx.pointer)
                #expect(patches.values().indices.allSatisfy { ($0 % stride < w.patch) == patches.pointer[$0].isFinite })
                #expect(dx.values().allSatisfy { $0.isFinite })
            }
        }
    }

    @Test(arguments: Side.allCases)
    func `Winograd's transforms stay within images, tiles and weights`(side: Side) async {
        await #expect(processExitsWith: .success) { [side = side as Side] in
            for c in WinogradTests.cases {
                // The last pixel's row consists only of its channels.
                let w = c.winograd, C = c.C, plane = Winograd.plane(C, tiles: c.total), all = 35 * plane + (c.total - 1) * Winograd.stride(C) + C
                let x = Guarded(c.x, side), dy = Guarded(c.dy, side), y = Guarded(c.dy, side), bias = Guarded(formula("bias", C), side)
                let v = Guarded<Float>(all, side), d = Guarded<Float>(all, side), m = Guarded(formula("m", all), side)
                let border = Guarded<Float>(36 * C, side), smallBorder = Guarded<Float>(16 * C, side)
                w.transformInput(x.pointer, N: c.N, C: C, tiles: 0..<c.total, into: v.pointer, plane: plane, border: border.pointer)
                w.transformGradient(dy.pointer, N: c.N, K: C, tiles: 0..<c.total, into: d.pointer, plane: plane, border: smallBorder.pointer)
                let epilogue = Epilogue(accumulates: true, bias: bias.pointer, residual: dy.pointer)
                w.transformOutput(m.pointer, plane: plane, N: c.N, K: C, tiles: 0..<c.total, into: y.pointer, epilogue)
                #expect(y.values().allSatisfy { $0.isFinite })
                for made in [v.values(), d.values()] {
                    #expect(made.indices.allSatisfy {
                        let (tile, channel) = ($0 % plane / Winograd.stride(C), $0 % plane % Winograd.stride(C))
                        return (tile < c.total && c.elements(tile).contains($0 / plane) && channel < C) == made[$0].isFinite
                    })
                }
                _ = (border.values(), smallBorder.values())

                let K = 48, weights = Guarded(formula("w", K * 9 * C), side), panels = Panels(k: C, n: K), turned = Panels(k: K, n: C)
                let u = Guarded<Float>(36 * panels.floats, side), t = Guarded<Float>(36 * turned.floats, side)
                for index in 0..<panels.count { Winograd.transformWeights(weights.pointer, C: C, K: K, panel: index, into: u.pointer + panels.offset(index), plane: panels.floats) }
                for index in 0..<turned.count { Winograd.transformTurnedWeights(weights.pointer, C: C, K: K, panel: index, into: t.pointer + turned.offset(index), plane: turned.floats) }
                #expect((u.values() + t.values()).allSatisfy { $0.isFinite })
                let du = Guarded(formula("du", 35 * (C + 3) + C), side), dw = Guarded(formula("dw", 9 * C), side)
                Winograd.addWeightGradient(du.pointer, plane: C + 3, C: C, to: dw.pointer)
                #expect(dw.values().allSatisfy { $0.isFinite })
            }
        }
    }
}

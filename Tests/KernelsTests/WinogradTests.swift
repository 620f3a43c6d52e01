import Kernels
import TestSupport
import Testing

/// Each transform of F(4×4, 3×3), and of F(3, 3) on its points, against its definition by matrices (Lavin & Gray 2016,
/// section 4.3), in double precision.
@Suite struct WinogradTests {
    typealias Matrix = [[Double]]

    static let BT: Matrix = [
        [4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
    ]
    static let G: Matrix = [
        [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
    ]
    static let AT: Matrix = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]

    /// The matrices of F(3, 3) on 0, 1, −1, 2, ∞; the fifth of six elements and the last input and output are unused
    /// and zero here.
    static let BT3: Matrix = [
        [4, -2, -4, 2, 0, 0], [0, -6, -3, 3, 0, 0], [0, 2, -3, 1, 0, 0], [0, -4, 0, 4, 0, 0], [0, 0, 0, 0, 0, 0], [0, 2, -1, -2, 1, 0],
    ]
    static let AT3: Matrix = [[1, 1, 1, 1, 0, 0], [0, 1, -1, 2, 0, 0], [0, 1, 1, 4, 0, 1], [0, 0, 0, 0, 0, 0]]

    static func transposed(_ a: Matrix) -> Matrix { a[0].indices.map { column in a.map { $0[column] } } }
    static func product(_ a: Matrix, _ b: Matrix) -> Matrix {
        a.map { row in b[0].indices.map { column in row.indices.reduce(0) { $0 + row[$1] * b[$1][column] } } }
    }
    /// l·x·rᵀ
    static func both(_ l: Matrix, _ x: Matrix, _ r: Matrix) -> Matrix { product(product(l, x), transposed(r)) }
    /// l·x·lᵀ
    static func both(_ l: Matrix, _ x: Matrix) -> Matrix { both(l, x, l) }
    static func matrix(_ rows: Int, _ columns: Int, _ value: (Int, Int) -> Double) -> Matrix {
        (0..<rows).map { row in (0..<columns).map { value(row, $0) } }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let N: Int, H: Int, W: Int, padding: Int, C: Int
        var testDescription: String { "\(N) of \(H)×\(W)×\(C), padding \(padding)" }
        var winograd: Winograd { Winograd(H: H, W: W, padding: padding) }
        var total: Int { N * winograd.tiles }
        /// The distance between the elements of a tile, with a gap that must not be touched.
        var plane: Int { Winograd.plane(C, tiles: total) + 32 }
        /// All tiles, and a part that begins and ends within images.
        var ranges: [Range<Int>] { [0..<total, (total / 3)..<max(total / 3 + 1, total * 3 / 4)] }
        var x: [Float] { formula("x", N * H * W * C) }
        var dy: [Float] { formula("dy", N * winograd.outH * winograd.outW * C) }

        /// A tile's first output and its size.
        struct Corner: Equatable {
            let n: Int, y: Int, x: Int, rows: Int, columns: Int
            var BT: (Matrix, Matrix) { (rows == 4 ? WinogradTests.BT : BT3, columns == 4 ? WinogradTests.BT : BT3) }
            var AT: (Matrix, Matrix) { (rows == 4 ? WinogradTests.AT : AT3, columns == 4 ? WinogradTests.AT : AT3) }
        }
        /// Fours, then threes: first and length of each.
        static func cuts(_ side: Int) -> [(first: Int, length: Int)] {
            let tiles = (side + 3) / 4
            // The most fours for which threes can cover the rest without an additional tile.
            let fours = (0...tiles).first { 4 * $0 + 3 * (tiles - $0) >= side } ?? tiles
            return (0..<tiles).map { ($0 <= fours ? 4 * $0 : 4 * fours + 3 * ($0 - fours), $0 < fours ? 4 : 3) }
        }
        /// All tiles in numerical order.
        var corners: [Corner] {
            let down = Case.cuts(winograd.outH), across = Case.cuts(winograd.outW)
            return [(4, 3), (4, 4), (3, 4), (3, 3)].flatMap { rows, columns in
                (0..<N).flatMap { n in
                    down.filter { $0.length == rows }.flatMap { y in
                        across.filter { $0.length == columns }.map { x in Corner(n: n, y: y.first, x: x.first, rows: rows, columns: columns) }
                    }
                }
            }
        }
        func corner(_ tile: Int) -> Corner { corners[tile] }
        /// The elements, out of 36, that a tile has.
        func elements(_ tile: Int) -> [Int] {
            let corner = corner(tile)
            return (0..<36).filter { (corner.rows == 4 || $0 / 6 != 4) && (corner.columns == 4 || $0 % 6 != 4) }
        }
        /// The position of the value of one element, tile and channel.
        func index(_ element: Int, _ tile: Int, _ c: Int) -> Int { element * plane + tile * Winograd.stride(C) + c }
    }

    static let cases = [
        Case(N: 1, H: 1, W: 1, padding: 1, C: 16), Case(N: 2, H: 3, W: 2, padding: 2, C: 16), Case(N: 1, H: 7, W: 4, padding: 1, C: 32),
        Case(N: 3, H: 5, W: 13, padding: 0, C: 48), Case(N: 2, H: 13, W: 7, padding: 1, C: 80), Case(N: 1, H: 14, W: 12, padding: 0, C: 16),
        Case(N: 2, H: 9, W: 11, padding: 2, C: 32),
    ]

    @Test func `sizes of outputs, tiles and the adjoint`() {
        let w = Winograd(H: 13, W: 8, padding: 1)
        #expect((w.outH, w.outW, w.down.tiles, w.across.tiles, w.tiles) == (13, 8, 4, 2, 8))
        #expect((w.down.fours, w.down.threes, w.across.fours, w.across.threes, w.products) == (1, 3, 2, 0, 21 * 12))
        #expect(w.adjoint == w)
        let tight = Winograd(H: 13, W: 8, padding: 0)
        #expect((tight.outH, tight.outW) == (11, 6) && (tight.adjoint.outH, tight.adjoint.outW) == (13, 8))
        for channels in [16, 48, 64, 256, 512, 1008] {
            // Lines of neighbouring rows and elements map to different cache sets.
            let stride = Winograd.stride(channels)
            #expect(stride >= channels && stride % 16 == 0 && stride % 32 != 0)
            for tiles in [1, 28, 56, 64] { #expect(Winograd.plane(channels, tiles: tiles) >= tiles * stride && Winograd.plane(channels, tiles: tiles) % 32 != 0) }
        }
    }

    @Test(arguments: cases)
    func `tiles are numbered by their kinds, and those that have an element are neighbours`(_ c: Case) {
        let order = c.winograd.order(N: c.N), corners = c.corners
        #expect(corners.count == c.total)
        for (number, corner) in corners.enumerated() {
            let tile = order[number], w = c.winograd
            #expect(tile.n == corner.n && w.down.start(tile.y) == corner.y && w.across.start(tile.x) == corner.x)
            #expect(w.down.outputs(tile.y) == corner.rows && w.across.outputs(tile.x) == corner.columns)
        }
        for range in c.ranges + [0..<0, (c.total - 1)..<c.total] {
            for element in 0..<36 {
                #expect(Array(order.having(element, in: range)) == range.indices.filter { c.elements(range[$0]).contains(element) }.map { $0 - range.lowerBound })
            }
        }
    }

    /// Compares the results for the tiles `range`, and checks that nothing else was written.
    func check(_ found: [Float], _ c: Case, _ range: Range<Int>, sourceLocation: SourceLocation = #_sourceLocation, _ expected: (_ tile: Int, _ channel: Int) -> Matrix) {
        var untouched = [Bool](repeating: true, count: found.count), values: [Float] = [], right: [Double] = []
        for (index, tile) in range.enumerated() {
            let elements = c.elements(tile)
            for channel in 0..<c.C {
                let matrix = expected(tile, channel)
                for element in elements {
                    let i = c.index(element, index, channel)
                    untouched[i] = false
                    values.append(found[i])
                    right.append(matrix[element / 6][element % 6])
                }
            }
        }
        #expect(largestError(values, right) < 5e-7, sourceLocation: sourceLocation)
        #expect(found.indices.allSatisfy { !untouched[$0] || found[$0].isNaN }, sourceLocation: sourceLocation)
    }

    @Test(arguments: cases)
    func `transformInput is Bᵀ d B`(_ c: Case) {
        let x = c.x
        for range in c.ranges {
            let v = Poisoned(36 * c.plane), border = Poisoned(36 * c.C)
            c.winograd.transformInput(x, N: c.N, C: c.C, tiles: range, into: v.pointer, plane: c.plane, border: border.pointer)
            _ = border.values()
            check(v.values(), c, range) { tile, channel in
                let corner = c.corner(tile)
                return Self.both(corner.BT.0, Self.matrix(6, 6) {
                    let y = corner.y + $0 - c.padding, x0 = corner.x + $1 - c.padding
                    guard (0..<c.H).contains(y), (0..<c.W).contains(x0) else { return 0 }
                    return Double(x[((corner.n * c.H + y) * c.W + x0) * c.C + channel])
                }, corner.BT.1)
            }
        }
    }

    @Test(arguments: cases)
    func `transformGradient is A dY Aᵀ`(_ c: Case) {
        let dy = c.dy, w = c.winograd
        for range in c.ranges {
            let d = Poisoned(36 * c.plane), border = Poisoned(16 * c.C)
            w.transformGradient(dy, N: c.N, K: c.C, tiles: range, into: d.pointer, plane: c.plane, border: border.pointer)
            _ = border.values()
            check(d.values(), c, range) { tile, channel in
                let corner = c.corner(tile)
                return Self.both(Self.transposed(corner.AT.0), Self.matrix(4, 4) {
                    let y = corner.y + $0, x = corner.x + $1
                    return y < w.outH && x < w.outW ? Double(dy[((corner.n * w.outH + y) * w.outW + x) * c.C + channel]) : 0
                }, Self.transposed(corner.AT.1))
            }
        }
    }

    @Test(arguments: cases)
    func `transformOutput is Aᵀ m A, finished`(_ c: Case) {
        let w = c.winograd, K = c.C, outputs = c.dy.count
        let m = formula("m", 36 * c.plane), before = formula("before", outputs), bias = formula("bias", K), residual = formula("residual", outputs)
        for range in c.ranges {
            // Elements that a tile of three outputs lacks are not read.
            var given = m
            for (index, tile) in range.enumerated() {
                let elements = c.elements(tile)
                for element in 0..<36 where !elements.contains(element) { for k in 0..<K { given[c.index(element, index, k)] = .nan } }
            }
            // NaN outside the tiles of the range.
            var exact = [Double](repeating: .nan, count: outputs)
            for (index, tile) in range.enumerated() {
                let corner = c.corner(tile)
                for k in 0..<K {
                    let y = Self.both(corner.AT.0, Self.matrix(6, 6) { Double(m[c.index(6 * $0 + $1, index, k)]) }, corner.AT.1)
                    for row in 0..<min(corner.rows, w.outH - corner.y) {
                        for column in 0..<min(corner.columns, w.outW - corner.x) {
                            exact[((corner.n * w.outH + corner.y + row) * w.outW + corner.x + column) * K + k] = y[row][column]
                        }
                    }
                }
            }
            for (adding, withBias, withResidual, activation) in [
                (false, false, false, Activation.none), (true, false, false, .none), (false, true, false, .relu), (false, true, true, .none),
                (false, true, true, .relu), (false, true, false, .relu6), (false, true, false, .hardSwish), (false, true, false, .silu), (true, true, true, .relu),
            ] {
                let y = adding ? Poisoned(before) : Poisoned(outputs)
                bias.withUnsafeBufferPointer { bias in
                    residual.withUnsafeBufferPointer { residual in
                        let epilogue = Epilogue(
                            accumulates: adding, bias: withBias ? bias.baseAddress : nil, residual: withResidual ? residual.baseAddress : nil, activation: activation)
                        w.transformOutput(given, plane: c.plane, N: c.N, K: K, tiles: range, into: y.pointer, epilogue)
                    }
                }
                let found = y.values(), inside = exact.indices.filter { !exact[$0].isNaN }
                let expected = inside.map { i in
                    plain(
                        activation,
                        exact[i] + (adding ? Double(before[i]) : 0) + (withBias ? Double(bias[i % K]) : 0) + (withResidual ? Double(residual[i]) : 0)
                    ).value
                }
                let what = "\(adding) \(withBias) \(withResidual) \(activation)"
                // Relative to the largest number, which ReLU6 clips.
                #expect(largestError(inside.map { found[$0] }, expected) < (activation == .relu6 ? 2e-6 : 5e-7), "\(what)")
                #expect(found.indices.allSatisfy { !exact[$0].isNaN || (adding ? found[$0] == before[$0] : found[$0].isNaN) }, "\(what)")
            }
        }
    }

    @Test(arguments: [(16, 16), (16, 48), (48, 80), (80, 64), (32, 16)])
    func `transformed weights are G g Gᵀ, packed, and for the gradient turned by 180°`(_ size: (Int, Int)) {
        let (C, K) = size, w = formula("w", K * 9 * C)
        func g(_ k: Int, _ c: Int, turned: Bool) -> Matrix {
            Self.both(Self.G, Self.matrix(3, 3) { Double(w[(k * 9 + (turned ? 8 - 3 * $0 - $1 : 3 * $0 + $1)) * C + c]) })
        }
        for turned in [false, true] {
            let panels = turned ? Panels(k: K, n: C) : Panels(k: C, n: K), layout = PanelsTests.layout(panels)
            let u = Poisoned(36 * panels.floats)
            for index in 0..<panels.count {
                if turned {
                    Winograd.transformTurnedWeights(w, C: C, K: K, panel: index, into: u.pointer + panels.offset(index), plane: panels.floats)
                } else {
                    Winograd.transformWeights(w, C: C, K: K, panel: index, into: u.pointer + panels.offset(index), plane: panels.floats)
                }
            }
            var expected = [Double](repeating: 0, count: 36 * panels.floats)
            for (i, element) in layout.enumerated() {
                guard let element else { continue }
                let matrix = turned ? g(element.row, element.column, turned: true) : g(element.column, element.row, turned: false)
                for p in 0..<36 { expected[p * panels.floats + i] = matrix[p / 6][p % 6] }
            }
            #expect(largestError(u.values(), expected) < 5e-7, "\(turned ? "turned" : "as they are")")
        }
    }

    @Test(arguments: [16, 48, 80])
    func `addWeightGradient adds Gᵀ du G`(C: Int) {
        let plane = C + 16, du = formula("du", 36 * plane), before = formula("dw", 9 * C)
        let dw = Poisoned(before)
        Winograd.addWeightGradient(du, plane: plane, C: C, to: dw.pointer)
        var expected = before.map { Double($0) }
        for c in 0..<C {
            let g = Self.both(Self.transposed(Self.G), Self.matrix(6, 6) { Double(du[(6 * $0 + $1) * plane + c]) })
            for tap in 0..<9 { expected[tap * C + c] += g[tap / 3][tap % 3] }
        }
        #expect(largestError(dw.values(), expected) < 5e-7)
    }

    @Test func `NaN stays visible through every transform`() {
        let c = Case(N: 1, H: 8, W: 8, padding: 1, C: 16), w = c.winograd
        var x = [Float](repeating: 1, count: c.x.count)
        x[(2 * 8 + 2) * 16 + 5] = .nan
        let v = Poisoned(36 * c.plane), border = Poisoned(36 * 16), y = Poisoned(x.count)
        w.transformInput(x, N: 1, C: 16, tiles: 0..<c.total, into: v.pointer, plane: c.plane, border: border.pointer)
        // Tiles that do not contain the NaN, and other channels, stay finite.
        for tile in 0..<c.total {
            for channel in 0..<16 {
                let isNaN = (0..<36).contains { v.pointer[c.index($0, tile, channel)].isNaN }
                #expect(isNaN == (channel == 5 && tile == 0))
            }
        }
        // The NaN of a gradient appears only in its own tiles and channel.
        var dy = [Float](repeating: 1, count: x.count)
        dy[(5 * 8 + 2) * 16 + 7] = .nan
        let d = Poisoned(36 * c.plane)
        w.transformGradient(dy, N: 1, K: 16, tiles: 0..<c.total, into: d.pointer, plane: c.plane, border: border.pointer)
        for tile in 0..<c.total {
            let corner = c.corner(tile), meets = (corner.y..<(corner.y + corner.rows)).contains(5) && (corner.x..<(corner.x + corner.columns)).contains(2)
            for channel in 0..<16 { #expect((0..<36).contains { d.pointer[c.index($0, tile, channel)].isNaN } == (channel == 7 && meets)) }
        }
        // The NaN of a weight, plain or turned, appears only in its own pair of channels.
        var weights = formula("w", 16 * 9 * 16)
        weights[(3 * 9 + 4) * 16 + 9] = .nan
        let panels = Panels(k: 16, n: 16), layout = PanelsTests.layout(panels)
        for turned in [false, true] {
            let u = Poisoned(36 * panels.floats)
            for panel in 0..<panels.count {
                let place = u.pointer + panels.offset(panel)
                if turned {
                    Winograd.transformTurnedWeights(weights, C: 16, K: 16, panel: panel, into: place, plane: panels.floats)
                } else {
                    Winograd.transformWeights(weights, C: 16, K: 16, panel: panel, into: place, plane: panels.floats)
                }
            }
            for (i, element) in layout.enumerated() {
                guard let element else { continue }
                let isIt = turned ? element == (3, 9) : element == (9, 3)
                #expect((0..<36).contains { u.pointer[$0 * panels.floats + i].isNaN } == isIt)
            }
        }
        // Back-transformed to a weight gradient, the NaN appears only in its own channel.
        var du = formula("du", 36 * 16)
        du[14 * 16 + 11] = .nan
        let dw = Poisoned([Float](repeating: 0, count: 9 * 16))
        Winograd.addWeightGradient(du, plane: 16, C: 16, to: dw.pointer)
        let sums = dw.values()
        #expect((0..<16).filter { k in (0..<9).contains { sums[$0 * 16 + k].isNaN } } == [11])
        let epilogue = Epilogue(activation: .relu)
        w.transformOutput(v.pointer, plane: c.plane, N: 1, K: 16, tiles: 0..<c.total, into: y.pointer, epilogue)
        let found = y.values()
        #expect(found[(1 * 8 + 1) * 16 + 5].isNaN && !found[(1 * 8 + 1) * 16 + 4].isNaN)
    }
}

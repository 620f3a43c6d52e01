import Kernels
import TestSupport
import Testing

@Suite struct GEMMTests {
    enum Start: CaseIterable { case zero, result, bias, biasAndResidual, residual, all }

    /// One product, its factors and the initial value of its sums.
    struct Case: Sendable, CustomTestStringConvertible {
        let m: Int, n: Int, k: Int
        /// Floats between the end of a row and the next.
        var gap = 0
        /// Whether the rows of the left factor are a multiple of 1024 floats apart.
        var far = false
        var testDescription: String { "\(m)×\(k) · \(k)×\(n), rows \(gap) apart\(far ? ", far" : "")" }

        var panels: Panels { Panels(k: k, n: n) }
        var ldc: Int { n + gap }
        func distance(_ width: Int) -> Int { far ? (width + 1023) / 1024 * 1024 : width + gap }

        /// A matrix with NaN between its rows.
        func matrix(_ name: String, rows: Int, columns: Int, distance: Int, _ values: (String, Int) -> [Float]) -> [Float] {
            var matrix = [Float](repeating: .nan, count: rows * distance)
            let inside = values(name, rows * columns)
            for row in 0..<rows { for i in 0..<columns { matrix[row * distance + i] = inside[row * columns + i] } }
            return matrix
        }

        /// c = start + a·b, a (m, k); `before` is the previous content of c.
        func multiply(_ a: [Float], lda: Int, _ packed: [Float], _ start: Start, before: [Float], bias: [Float], residual: [Float], rectified: Bool) -> [Float] {
            let c = Poisoned(before)
            bias.withUnsafeBufferPointer { bias in
                residual.withUnsafeBufferPointer { residual in
                    guard let bias = bias.baseAddress, let residual = residual.baseAddress else { return }
                    GEMM.multiply(
                        a, lda: lda, m: m, packed, panels, into: c.pointer, ldc: ldc, epilogue: Case.epilogue(start, bias, residual, rectified ? .relu : .none))
                }
            }
            return c.values()
        }

        /// c (+)= aᵀ·b, a (k, m).
        func multiplyTransposed(_ a: [Float], lda: Int, _ b: [Float], ldb: Int, accumulates: Bool, before: [Float]) -> [Float] {
            let c = Poisoned(before)
            GEMM.multiplyTransposed(a, lda: lda, m: m, b, ldb: ldb, n: n, k: k, into: c.pointer, ldc: ldc, accumulates: accumulates)
            return c.values()
        }

        private static func epilogue(_ start: Start, _ bias: UnsafePointer<Float>, _ residual: UnsafePointer<Float>, _ activation: Activation) -> Epilogue {
            switch start {
            case .zero: Epilogue(activation: activation)
            case .result: Epilogue(accumulates: true, activation: activation)
            case .bias: Epilogue(bias: bias, activation: activation)
            case .biasAndResidual: Epilogue(bias: bias, residual: residual, activation: activation)
            case .residual: Epilogue(residual: residual, activation: activation)
            case .all: Epilogue(accumulates: true, bias: bias, residual: residual, activation: activation)
            }
        }

        func packed(_ b: [Float], ldb: Int) -> [Float] {
            let packed = Poisoned(panels.floats)
            for index in 0..<panels.count { panels.pack(index, of: b, ldb: ldb, into: packed.pointer) }
            return packed.values()
        }

        /// The expected c: sums in double precision, `before` between the rows.
        func expected(
            _ a: (_ row: Int, _ l: Int) -> Float, _ b: (_ l: Int, _ column: Int) -> Float, _ start: Start, before: [Float], bias: [Float],
            residual: [Float]
        ) -> [Double] {
            var c = before.map { Double($0) }
            for i in 0..<m {
                for j in 0..<n {
                    var sum = switch start {
                    case .zero: 0.0
                    case .result: Double(before[i * ldc + j])
                    case .bias: Double(bias[j])
                    case .biasAndResidual: Double(bias[j]) + Double(residual[i * ldc + j])
                    case .residual: Double(residual[i * ldc + j])
                    case .all: Double(before[i * ldc + j]) + Double(bias[j]) + Double(residual[i * ldc + j])
                    }
                    for l in 0..<k { sum += Double(a(i, l)) * Double(b(l, j)) }
                    c[i * ldc + j] = sum
                }
            }
            return c
        }
    }

    static let ns = [1, 3, 8, 16, 17, 24, 31, 32, 33, 40, 48, 64, 100], ks = [1, 2, 3, 7, 13, 64, 300, 1024]
    static let ms = Array(1...31) + [100]

    /// Every width, with depths and row strides in turn: over all heights every pair occurs.
    static func cases(m: Int) -> [Case] {
        ns.enumerated().map { place, n in
            let turn = 5 * m + place
            return Case(m: m, n: n, k: ks[turn % ks.count], gap: [0, 3, 16][turn % 3], far: turn % 4 == 1)
        }
    }

    /// Integers so small that single precision holds every sum: there is exactly one right result.
    static func whole(_ name: String, _ count: Int) -> [Float] { formula(name, count).map { ($0 * 9).rounded() } }

    @Test(arguments: ms)
    func `multiply is the sum of products from every start, and leaves what lies between rows alone`(m: Int) {
        for c in Self.cases(m: m) {
            let lda = c.distance(c.k), ldb = c.n + c.gap
            let a = c.matrix("a", rows: m, columns: c.k, distance: lda, Self.whole), b = c.matrix("b", rows: c.k, columns: c.n, distance: ldb, Self.whole)
            let packed = c.packed(b, ldb: ldb), bias = Self.whole("bias", c.n)
            let before = Self.whole("c", m * c.ldc), residual = c.matrix("residual", rows: m, columns: c.n, distance: c.ldc, Self.whole)
            for start in Start.allCases {
                let expected = c.expected({ a[$0 * lda + $1] }, { b[$0 * ldb + $1] }, start, before: before, bias: bias, residual: residual).map { Float($0) }
                for rectified in [false, true] {
                    let found = c.multiply(a, lda: lda, packed, start, before: before, bias: bias, residual: residual, rectified: rectified)
                    let right = rectified ? expected.indices.map { $0 % c.ldc < c.n ? max(0, expected[$0]) : expected[$0] } : expected
                    #expect(firstDifference(found, right) == nil, "\(c.testDescription) \(start)\(rectified ? " rectified" : "")")
                }
            }
        }
    }

    @Test(arguments: ms)
    func `multiplyTransposed is the same with the left factor's columns`(m: Int) {
        for c in Self.cases(m: m) {
            // The right factor may be read up to whole panels; that content must not matter.
            let lda = c.distance(m), ldb = (c.n + Panels.width - 1) / Panels.width * Panels.width + c.gap
            let a = c.matrix("a", rows: c.k, columns: m, distance: lda, Self.whole), b = c.matrix("b", rows: c.k, columns: c.n, distance: ldb, Self.whole)
            let before = Self.whole("c", m * c.ldc)
            for (start, accumulates) in [(Start.zero, false), (.result, true)] {
                let expected = c.expected({ a[$1 * lda + $0] }, { b[$0 * ldb + $1] }, start, before: before, bias: [], residual: []).map { Float($0) }
                let found = c.multiplyTransposed(a, lda: lda, b, ldb: ldb, accumulates: accumulates, before: before)
                #expect(firstDifference(found, expected) == nil, "\(c.testDescription) \(start)")
            }
        }
    }

    @Test(arguments: ms + [57, 200])
    func `sums over the rows are those of what was stored`(m: Int) {
        for c in Self.cases(m: m) {
            let a = Self.whole("a", m * c.k), packed = c.packed(Self.whole("b", c.k * c.n), ldb: c.n)
            // Outputs begin on and off cache lines, so that some are written with non-temporal stores.
            for nonTemporal in [false, true] {
                let found = FloatBuffer(m * c.n), memory = Poisoned(ColumnSums.floats(n: c.n)), sums = ColumnSums(memory.pointer, n: c.n)
                GEMM.multiply(a, lda: c.k, m: m, packed, c.panels, into: found.pointer, ldc: c.n, epilogue: Epilogue(isNonTemporal: nonTemporal), sums: sums)
                #expect(found.array == c.multiply(
                    a, lda: c.k, packed, .zero, before: [Float](repeating: 0, count: m * c.ldc), bias: [0], residual: [0], rectified: false
                ).enumerated().filter { $0.offset % c.ldc < c.n }.map(\.element))
                for j in 0..<c.n {
                    let origin = found.array[j], distances = (0..<m).map { Double(found.pointer[$0 * c.n + j]) - Double(origin) }
                    let (sum, squares) = (distances.reduce(0, +), distances.reduce(0) { $0 + $1 * $1 })
                    #expect(sums.origin[j] == origin && abs(Double(sums.sums[j]) - sum) <= 1e-6 * distances.reduce(0) { $0 + abs($1) })
                    #expect(abs(Double(sums.squares[j]) - squares) <= 2e-6 * squares, "\(c.testDescription), column \(j)")
                }
                _ = memory.values()
            }
        }
    }

    @Test(arguments: [Case(m: 37, n: 67, k: 1024), Case(m: 29, n: 40, k: 300), Case(m: 3, n: 17, k: 64), Case(m: 100, n: 31, k: 13)])
    func `rounding errors are those of one sum in the order of k`(_ c: Case) {
        let a = formula("a", c.m * c.k), b = formula("b", c.k * c.n), zeros = [Float](repeating: 0, count: c.m * c.n)
        let found = c.multiply(a, lda: c.k, c.packed(b, ldb: c.n), .zero, before: zeros, bias: zeros, residual: zeros, rectified: false)
        for i in 0..<c.m {
            for j in 0..<c.n {
                // One rounding per product, where product and sum are fused.
                let sum = (0..<c.k).reduce(Float(0)) { $0.addingProduct(a[i * c.k + $1], b[$1 * c.n + j]) }
                guard found[i * c.n + j].bitPattern != sum.bitPattern else { continue }
                Issue.record("\(i), \(j): \(found[i * c.n + j]) is not \(sum)")
                return
            }
        }
    }

    /// Both products of the same factors, without any options.
    struct Products {
        let c: Case, a: [Float], packed: [Float], ldb: Int, wide: [Float]
        let result: Poisoned, transposed: Poisoned

        init(_ c: Case) {
            self.c = c
            a = formula("a", c.m * c.k)
            packed = c.packed(formula("b", c.k * c.n), ldb: c.n)
            ldb = (c.n + 31) / 32 * 32
            wide = c.matrix("b", rows: c.k, columns: c.n, distance: ldb, formula)
            (result, transposed) = (Poisoned(c.m * c.n), Poisoned(c.m * c.n))
            GEMM.multiply(a, lda: c.k, m: c.m, packed, c.panels, into: result.pointer, ldc: c.n)
            GEMM.multiplyTransposed(a, lda: c.m, m: c.m, wide, ldb: ldb, n: c.n, k: c.k, into: transposed.pointer, ldc: c.n)
        }
    }

    /// The prefetched memory may be empty, or end at an inaccessible page.
    @Test(arguments: [(100, 64, 70), (57, 100, 7), (31, 17, 300), (1, 1, 1)])
    func `asking for prefetch memory changes no bit`(_ size: (Int, Int, Int)) {
        let p = Products(Case(m: size.0, n: size.1, k: size.2)), c = p.c
        let (a, packed, wide, ldb, plain, plainTransposed) = (p.a, p.packed, p.wide, p.ldb, p.result, p.transposed)
        let memory = Guarded(formula("memory", 40 * 33), .end)
        for rows in [0..<0, 3..<4, 0..<40, 7..<400] {
            let own = Poisoned(c.m * c.n), ownTransposed = Poisoned(c.m * c.n)
            var next = Prefetch(memory.pointer, rows: rows, columns: 5..<30, stride: 33).and(Prefetch(memory.pointer, rows: rows, columns: 33))
            GEMM.multiply(a, lda: c.k, m: c.m, packed, c.panels, into: own.pointer, ldc: c.n, prefetch: &next)
            next = Prefetch(memory.pointer, rows: rows, columns: 33).and(Prefetch(memory.pointer, rows: rows, columns: 0..<17, stride: 33))
            GEMM.multiplyTransposed(a, lda: c.m, m: c.m, wide, ldb: ldb, n: c.n, k: c.k, into: ownTransposed.pointer, ldc: c.n, prefetch: &next)
            #expect(firstDifference(own.values(), plain.values()) == nil && firstDifference(ownTransposed.values(), plainTransposed.values()) == nil)
        }
    }

    @Test(arguments: [(100, 64, 70), (57, 100, 7), (31, 17, 300)])
    func `the bits of a row do not depend on the rows beside it`(_ size: (Int, Int, Int)) {
        let p = Products(Case(m: size.0, n: size.1, k: size.2)), c = p.c
        let (a, packed, wide, ldb, whole, wholeTransposed) = (p.a, p.packed, p.wide, p.ldb, p.result, p.transposed)
        for step in [1, 2, 3, 5, 6, 13, 14, 17] {
            let parts = Poisoned(c.m * c.n), partsTransposed = Poisoned(c.m * c.n)
            for first in stride(from: 0, to: c.m, by: step) {
                let count = min(step, c.m - first)
                a.withUnsafeBufferPointer {
                    guard let a = $0.baseAddress else { return }
                    GEMM.multiply(a + first * c.k, lda: c.k, m: count, packed, c.panels, into: parts.pointer + first * c.n, ldc: c.n)
                    GEMM.multiplyTransposed(
                        a + first, lda: c.m, m: count, wide, ldb: ldb, n: c.n, k: c.k, into: partsTransposed.pointer + first * c.n, ldc: c.n)
                }
            }
            #expect(firstDifference(parts.values(), whole.values()) == nil, "\(step) rows at a time")
            #expect(firstDifference(partsTransposed.values(), wholeTransposed.values()) == nil, "\(step) columns at a time")
        }
    }

    /// A product of ones with a few other numbers.
    func result(_ c: Case, a changes: [(row: Int, l: Int, value: Float)] = [], b others: [(l: Int, column: Int, value: Float)] = [], rectified: Bool = false) -> [Float] {
        var a = [Float](repeating: 1, count: c.m * c.k), b = [Float](repeating: 1, count: c.k * c.n)
        for change in changes { a[change.row * c.k + change.l] = change.value }
        for change in others { b[change.l * c.n + change.column] = change.value }
        let zeros = [Float](repeating: 0, count: c.m * c.n)
        return c.multiply(a, lda: c.k, c.packed(b, ldb: c.n), .zero, before: zeros, bias: zeros, residual: zeros, rectified: rectified)
    }

    @Test(arguments: [Case(m: 1, n: 1, k: 3), Case(m: 17, n: 33, k: 5), Case(m: 29, n: 64, k: 2), Case(m: 8, n: 24, k: 64)], [false, true])
    func `NaN and infinity go where the definition brings them, and nowhere else`(_ c: Case, rectified: Bool) {
        for row in [0, c.m / 2, c.m - 1] {
            let found = result(c, a: [(row, c.k - 1, .nan)], rectified: rectified)
            #expect(found.indices.allSatisfy { $0 / c.n == row ? found[$0].isNaN : found[$0] == Float(c.k) })
            let infinite = result(c, a: [(row, 0, .infinity)], rectified: rectified)
            #expect(infinite.indices.allSatisfy { infinite[$0] == ($0 / c.n == row ? .infinity : Float(c.k)) })
            let negative = result(c, a: [(row, 0, -.infinity)], rectified: rectified)
            #expect(negative.indices.allSatisfy { negative[$0] == ($0 / c.n == row ? (rectified ? 0 : -.infinity) : Float(c.k)) })
        }
        for column in [0, c.n / 2, c.n - 1] {
            let found = result(c, b: [(0, column, .nan)], rectified: rectified)
            #expect(found.indices.allSatisfy { $0 % c.n == column ? found[$0].isNaN : found[$0] == Float(c.k) })
            // 0 · ∞ is NaN.
            let zero = result(c, a: [(0, 0, 0)], b: [(0, column, .infinity)], rectified: rectified)
            #expect(zero.indices.allSatisfy { i in
                i % c.n != column ? zero[i] == Float(i < c.n ? c.k - 1 : c.k) : i < c.n ? zero[i].isNaN : zero[i] == .infinity
            })
        }
    }

    @Test(arguments: [Case(m: 1, n: 1, k: 1), Case(m: 17, n: 40, k: 3), Case(m: 14, n: 64, k: 7)])
    func `the sign of zero is that of the sum`(_ c: Case) {
        // 0 · −1 = −0, and −0 + −0 = −0; but 0 + −0 = 0.
        let a = [Float](repeating: 0, count: c.m * c.k), packed = c.packed([Float](repeating: -1, count: c.k * c.n), ldb: c.n)
        let negative = [Float](repeating: -0.0, count: c.m * c.n), row = [Float](repeating: -0.0, count: c.n)
        for start in Start.allCases {
            let found = c.multiply(a, lda: c.k, packed, start, before: negative, bias: row, residual: negative, rectified: false)
            #expect(found.allSatisfy { $0 == 0 && ($0.sign == .minus) == (start != .zero) }, "\(start)")
        }
    }
}

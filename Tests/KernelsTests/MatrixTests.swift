import Kernels
import Synchronization
import TestSupport
import Testing

@Suite struct MatrixTests {
    struct GEMM: Sendable, CustomTestStringConvertible {
        let m: Int, n: Int, k: Int
        let a: Matrix.Orientation, b: Matrix.Orientation
        /// Floats between the end of a row and the next.
        let gap: Int
        var testDescription: String { "\(m)×\(k)\(a == .asIs ? "" : "ᵀ") · \(k)×\(n)\(b == .asIs ? "" : "ᵀ"), rows \(gap) apart" }
        var lda: Int { (a == .asIs ? k : m) + gap }
        var ldb: Int { (b == .asIs ? n : k) + gap }
        var ldc: Int { n + gap }
        var A: [Float] { formula("A \(m)", (a == .asIs ? m : k) * lda) }
        var B: [Float] { formula("B \(n)", (b == .asIs ? k : n) * ldb) }

        func result(_ A: [Float], _ B: [Float], addingTo before: [Float]? = nil) -> [Float] {
            let c = before.map { Poisoned($0) } ?? Poisoned(m * ldc)
            Matrix.multiply(A, a, lda: lda, B, b, ldb: ldb, into: c.pointer, ldc: ldc, m: m, n: n, k: k, beta: before == nil ? 0 : 1)
            return c.values()
        }
    }

    static let products = [(1, 1, 1), (3, 5, 7), (17, 1, 20), (1, 33, 13), (20, 48, 64), (130, 67, 91), (257, 64, 27)].flatMap { size in
        [Matrix.Orientation.asIs, .transposed].flatMap { a in
            [Matrix.Orientation.asIs, .transposed].flatMap { b in
                [0, 3].map { GEMM(m: size.0, n: size.1, k: size.2, a: a, b: b, gap: $0) }
            }
        }
    }

    @Test(arguments: products)
    func `it is the sum of products, set or added, and leaves what lies between rows alone`(_ p: GEMM) {
        let A = p.A, B = p.B, before = formula("C", p.m * p.ldc)
        let found = p.result(A, B), added = p.result(A, B, addingTo: before)
        var expected: [Double] = [], values: [Float] = [], sums: [Double] = [], totals: [Float] = []
        for i in 0..<p.m {
            for j in 0..<p.n {
                let sum = (0..<p.k).reduce(0.0) { total, l in
                    let a = p.a == .asIs ? A[i * p.lda + l] : A[l * p.lda + i], b = p.b == .asIs ? B[l * p.ldb + j] : B[j * p.ldb + l]
                    return total + Double(a) * Double(b)
                }
                expected.append(sum)
                values.append(found[i * p.ldc + j])
                sums.append(sum + Double(before[i * p.ldc + j]))
                totals.append(added[i * p.ldc + j])
            }
            for gap in p.n..<p.ldc {
                #expect(found[i * p.ldc + gap].isNaN && added[i * p.ldc + gap] == before[i * p.ldc + gap])
            }
        }
        #expect(largestError(values, expected) < 2e-6)
        #expect(largestError(totals, sums) < 2e-6)
    }

    /// Some builds of OpenBLAS let concurrent callers corrupt each other's buffers (OpenMathLib/OpenBLAS issue 5836).
    @Test func `many threads that multiply at once get what one alone gets`() {
        let sizes = [(1, 1, 1), (64, 64, 64), (200, 96, 150), (33, 257, 129), (512, 32, 300), (16, 600, 40), (128, 128, 512), (300, 300, 27)]
        let work = sizes.flatMap { size in
            [Matrix.Orientation.asIs, .transposed].flatMap { a in
                [Matrix.Orientation.asIs, .transposed].map { GEMM(m: size.0, n: size.1, k: size.2, a: a, b: $0, gap: 1) }
            }
        }.map { product -> (GEMM, [Float], [Float], [UInt32]) in
            let A = product.A, B = product.B
            return (product, A, B, product.result(A, B).map(\.bitPattern))
        }
        let wrong = Mutex<[String: Int]>([:])
        onThreads(12) { thread in
            for round in 0..<12 {
                for step in work.indices {
                    // Every thread goes through them in a different order.
                    let (product, A, B, expected) = work[(step * (2 * thread + 1) + round * 5 + thread) % work.count]
                    if product.result(A, B).map(\.bitPattern) != expected { wrong.withLock { $0[product.testDescription, default: 0] += 1 } }
                }
            }
        }
        #expect(wrong.withLock { $0 } == [:])
    }
}

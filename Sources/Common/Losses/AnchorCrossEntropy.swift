import Kernels
import Parallel
import Platform

/// The cross-entropy over K anchors (columns 1 … K) and optionally the own pair (column 0), with its gradient, without
/// an (N, K) matrix.
///
/// One pass over the anchors handles a tile of columns at a time. The tile's similarities S = X·Aᵀ (the student's rows
/// above the teacher's) become unnormalised weights E = exp((S − peak)/τ) in place, and G += E·A_student follows at
/// once. When a row's peak rises, its accumulated sums are rescaled (Milakov and Gimelshein, "Online normalizer
/// calculation for softmax", 2018). The sums Z are known only at the end; the gradient is then G_student/Z_student −
/// G_teacher/Z_teacher.
///
/// This takes four products of (N, D, K), where storing the logits would take three. But anchors are read from memory
/// once and the tile stays in the cache; at N = 256, K = 65536 the stored logits would take 134 MB. Scratch memory is
/// 2·16 times the batch's embeddings plus one tile per thread.
///
/// The work is split by sizes alone, into blocks of rows and pieces of the anchors, and the pieces' sums are added in
/// order.
struct AnchorCrossEntropy {
    let studentTemperature: Double
    /// nil: the target is column 0 alone.
    let teacherTemperature: Double?
    /// Whether column 0 exists.
    let hasOwnPair: Bool

    /// The rows (N, D) of the student or the teacher, and the anchors (K, D) that they are compared with.
    struct Side {
        let rows: UnsafePointer<Float>
        let anchors: UnsafePointer<Float>
        let D: Int
    }

    private static let blockRows = 128
    /// A tile of anchors and their similarities fits in a core's cache.
    private static let tileFloats = 65536
    private static func tileColumns(_ D: Int) -> Int { min(512, max(64, tileFloats / D & ~15)) }
    /// The largest number of pieces of the anchors, and the least number of anchors in a piece if there is more than
    /// one.
    private static let mostPieces = 16
    private static let pieceRows = 1024

    /// The contribution of one piece of the anchors to one row's softmax.
    private struct Sums {
        /// The largest similarity so far and its column. Both start with column 0's values, or with a peak below all
        /// similarities if there is no column 0.
        var peak: Float
        var column = 0
        /// Z = Σ e over the piece, where e = exp((similarity − peak)/τ). Column 0 is not included.
        var weight = 0.0
        /// For a student's row: Σ eᵗ·s, its similarities weighted by the teacher's e.
        var crossSimilarity = 0.0
        /// For a teacher's row: Σ eᵗ·x, where x = (similarity − peak)/τ.
        var entropySum = 0.0
    }

    /// The loss of N rows. With the own pair, both sides have rows of the same width.
    func evaluate(_ student: Side, _ teacher: Side, count N: Int, anchors K: Int) -> LossValues {
        let D = student.D
        precondition(D > 0 && teacher.D > 0 && (!hasOwnPair || teacher.D == D) && (hasOwnPair || teacherTemperature != nil && K > 0))
        guard N > 0 else { return LossValues(loss: [], gradient: [], floor: [], agreement: []) }
        // 2: the student's and the teacher's rows are processed together. 1: the student's only.
        let kinds = teacherTemperature == nil ? 1 : 2
        let blocks = (N + Self.blockRows - 1) / Self.blockRows
        let pieces = min(Self.mostPieces, (K + Self.pieceRows - 1) / Self.pieceRows)

        // Column 0 of each row: s·t, t·t.
        var own = [Sums](repeating: Sums(peak: Self.nothing), count: kinds * N)
        if hasOwnPair {
            for b in 0..<blocks {
                let rows = Parallel.part(b, of: blocks, in: N)
                for (r, n) in rows.enumerated() {
                    let place = kinds * rows.lowerBound + r, t = teacher.rows + n * D
                    own[place].peak = Float(Rows.dot(student.rows + n * D, t, D))
                    if kinds == 2 { own[place + rows.count].peak = Float(Rows.dot(t, t, D)) }
                }
            }
        }

        // For each piece, for each block, its student rows, then its teacher rows: G (kinds·N, D) and sums (kinds·N).
        let G = UnsafeMutablePointer<Float>.allocate(capacity: pieces * kinds * N * D)
        let sums = UnsafeMutablePointer<Sums>.allocate(capacity: pieces * kinds * N)
        defer {
            G.deallocate()
            sums.deallocate()
        }
        own.withUnsafeBufferPointer { own in
            Parallel.forEach(pieces * blocks) { task, _ in
                let (piece, block) = (task / blocks, task % blocks)
                let rows = Parallel.part(block, of: blocks, in: N)
                let place = piece * kinds * N + kinds * rows.lowerBound
                (sums + place).initialize(from: own.baseAddress! + kinds * rows.lowerBound, count: kinds * rows.count)
                walk(columns: Parallel.part(piece, of: pieces, in: K), rows, student, teacher, kinds: kinds, G: G + place * D, sums: sums + place)
            }
        }

        var values = LossValues(
            loss: [Float](repeating: 0, count: N), gradient: [Float](repeating: 0, count: N * D),
            floor: [Float](repeating: 0, count: N), agreement: [Float](repeating: 0, count: N))
        values.loss.withUnsafeMutableBufferPointer { loss in
            values.gradient.withUnsafeMutableBufferPointer { gradient in
                values.floor!.withUnsafeMutableBufferPointer { floor in
                    values.agreement!.withUnsafeMutableBufferPointer { agreement in
                        let (loss, gradient) = (loss.baseAddress!, gradient.baseAddress!)
                        let (floor, agreement) = (floor.baseAddress!, agreement.baseAddress!)
                        Parallel.forEach(blocks) { block, _ in
                            let rows = Parallel.part(block, of: blocks, in: N)
                            for n in rows {
                                let place = kinds * rows.lowerBound + n - rows.lowerBound
                                let result = finish(
                                    own: own[place].peak, ownTeacher: own[place + (kinds - 1) * rows.count].peak,
                                    sums: sums + place, G: G + place * D, pieces: pieces, stride: kinds * N,
                                    toTeacher: (kinds - 1) * rows.count, teacher: teacher.rows + n * D,
                                    gradient: gradient + n * D, D: D, N: N)
                                loss[n] = result.loss
                                floor[n] = result.floor
                                agreement[n] = result.agrees ? 1 : 0
                            }
                        }
                    }
                }
            }
        }
        return values
    }

    /// The peak before any column: below every similarity, but finite, because 0 times its exponent must be 0.
    private static let nothing: Float = -1e30

    /// Sets G (kinds·R, D), and updates `sums` (kinds·R) with the anchors `columns`, for the R rows `rows`.
    private func walk(
        columns: Range<Int>, _ rows: Range<Int>, _ student: Side, _ teacher: Side, kinds: Int, G: UnsafeMutablePointer<Float>, sums: UnsafeMutablePointer<Sums>
    ) {
        let R = rows.count, M = kinds * R, D = student.D, E = teacher.D, most = Self.tileColumns(max(D, E))
        // If both sides share the anchors, their rows form one matrix.
        let areShared = student.anchors == teacher.anchors && D == E
        let X = UnsafeMutablePointer<Float>.allocate(capacity: R * (D + E)), tile = UnsafeMutablePointer<Float>.allocate(capacity: M * most)
        defer {
            X.deallocate()
            tile.deallocate()
        }
        X.update(from: student.rows + rows.lowerBound * D, count: R * D)
        if kinds == 2 { (X + R * D).update(from: teacher.rows + rows.lowerBound * E, count: R * E) }
        let studentScale = Float(1 / studentTemperature)
        let teacherScale = Float(1 / (teacherTemperature ?? 1))
        for first in stride(from: columns.lowerBound, to: columns.upperBound, by: most) {
            let C = min(most, columns.upperBound - first)
            let width = (C + 15) & ~15  // The row length of the tile, in whole vectors.
            let A = student.anchors + first * D
            Matrix.multiply(X, lda: D, A, .transposed, ldb: D, into: tile, ldc: width, m: areShared ? M : R, n: C, k: D)
            if kinds == 2, !areShared {
                Matrix.multiply(X + R * D, lda: E, teacher.anchors + first * E, .transposed, ldb: E, into: tile + R * width, ldc: width, m: R, n: C, k: E)
            }
            for r in 0..<M {
                for c in C..<width { tile[r * width + c] = Self.nothing }
                let rises = raise(
                    &sums[r], tile + r * width, width: width, first: first,
                    scale: r < R ? studentScale : teacherScale, isTeacher: r >= R)
                guard let factor = rises, first > columns.lowerBound else { continue }
                for d in 0..<D { G[r * D + d] *= factor }
                // The teacher's weights have shrunk, and so has the sum of the student's row that uses them.
                if r >= R { sums[r - R].crossSimilarity *= Double(factor) }
            }
            for r in 0..<R {
                if kinds == 2 {
                    weigh(&sums[r], tile + r * width, studentScale, &sums[R + r], tile + (R + r) * width, teacherScale, width: width)
                } else {
                    weigh(&sums[r], tile + r * width, studentScale, width: width)
                }
            }
            Matrix.multiply(tile, lda: width, A, ldb: D, into: G, ldc: D, m: M, n: D, k: C, beta: first > columns.lowerBound ? 1 : 0)
        }
    }

    /// Raises the row's peak to the tile's maximum. Returns the factor that rescales the row's weights so far, or nil
    /// if the peak stays.
    private func raise(
        _ sums: inout Sums, _ row: UnsafeMutablePointer<Float>, width: Int, first: Int, scale: Float, isTeacher: Bool
    ) -> Float? {
        var largest = row.vector(0)
        for c in stride(from: 16, to: width, by: 16) {
            let s = row.vector(c)
            largest = largest.replacing(with: s, where: s .> largest)
        }
        let peak = largest.max()
        guard peak > sums.peak else { return nil }
        sums.column = first + 1 + ((0..<width).first { row[$0] == peak } ?? 0)
        let step = Double(sums.peak - peak) * Double(scale)
        let factor = exp(step)
        // Every x = (similarity − peak)/τ decreases by |step|.
        if isTeacher { sums.entropySum = factor * (sums.entropySum + step * sums.weight) }
        sums.weight *= factor
        sums.peak = peak
        return Float(factor)
    }

    /// Turns the similarities of a student's and its teacher's row into weights and adds them to the sums.
    private func weigh(
        _ student: inout Sums, _ s: UnsafeMutablePointer<Float>, _ studentScale: Float,
        _ teacher: inout Sums, _ t: UnsafeMutablePointer<Float>, _ teacherScale: Float, width: Int
    ) {
        var (studentWeight, teacherWeight) = (Vector(repeating: 0), Vector(repeating: 0))
        var (similarity, entropy) = (Vector(repeating: 0), Vector(repeating: 0))
        for c in stride(from: 0, to: width, by: 16) {
            let sc = s.vector(c)
            let es = Vector.exponential(exponent(sc, student.peak, studentScale))
            let x = exponent(t.vector(c), teacher.peak, teacherScale)
            let et = Vector.exponential(x)
            studentWeight += es
            teacherWeight += et
            similarity = similarity.addingProduct(et, sc)
            entropy = entropy.addingProduct(et, x)
            s.store(es, c)
            t.store(et, c)
        }
        student.weight += Double(studentWeight.sum())
        teacher.weight += Double(teacherWeight.sum())
        student.crossSimilarity += Double(similarity.sum())
        teacher.entropySum += Double(entropy.sum())
    }

    /// The same for a student's row only.
    private func weigh(_ student: inout Sums, _ s: UnsafeMutablePointer<Float>, _ scale: Float, width: Int) {
        var weight = Vector(repeating: 0)
        for c in stride(from: 0, to: width, by: 16) {
            let e = Vector.exponential(exponent(s.vector(c), student.peak, scale))
            weight += e
            s.store(e, c)
        }
        student.weight += Double(weight.sum())
    }

    /// (similarity − peak)/τ, clamped at −100: e⁻¹⁰⁰ is 0 here, and 0·(−100) is 0 where 0·(−∞) would be NaN.
    @inline(__always)
    private func exponent(_ similarity: Vector, _ peak: Float, _ scale: Float) -> Vector {
        let x = (similarity - peak) * scale
        return x.replacing(with: -100, where: x .< -100)
    }

    /// Combines the pieces of one row with column 0.
    ///
    /// - Parameters:
    ///   - own: s·t.
    ///   - ownTeacher: t·t.
    ///   - sums: the row's student sums of piece 0. The next piece's are `stride` further, the teacher's `toTeacher`
    ///     further. The same layout holds for `G`.
    ///   - gradient: receives the row's gradient (D).
    private func finish(
        own: Float, ownTeacher: Float, sums: UnsafePointer<Sums>, G: UnsafePointer<Float>, pieces: Int, stride: Int,
        toTeacher: Int, teacher: UnsafePointer<Float>, gradient: UnsafeMutablePointer<Float>, D: Int, N: Int
    ) -> (loss: Float, floor: Float, agrees: Bool) {
        // The same rounded scales as in the tiles, so that column 0 is weighted like the others.
        let studentScale = Double(Float(1 / studentTemperature))
        var top = sums[0]
        for piece in 1..<max(1, pieces) where sums[piece * stride].peak > top.peak { top = sums[piece * stride] }
        let ownWeight = hasOwnPair ? exp(Double(own - top.peak) * studentScale) : 0
        var Z = ownWeight
        for piece in 0..<pieces {
            let piece = sums[piece * stride]
            Z += exp(Double(piece.peak - top.peak) * studentScale) * piece.weight
        }
        // The target's weight of column 0, the student's mean similarity under the target, and the target's entropy.
        var (ownTarget, similarity, floor, teacherColumn) = (1.0, Double(own), 0.0, 0)
        var teacherPeak = Float(0), teacherZ = 1.0, teacherScale = 1.0
        if let teacherTemperature {
            let sums = sums + toTeacher
            var top = sums[0]
            for piece in 1..<max(1, pieces) where sums[piece * stride].peak > top.peak { top = sums[piece * stride] }
            teacherScale = Double(Float(1 / teacherTemperature))
            teacherPeak = top.peak
            teacherColumn = top.column
            let x = hasOwnPair ? Double(ownTeacher - teacherPeak) * teacherScale : 0
            ownTarget = hasOwnPair ? exp(x) : 0
            teacherZ = ownTarget
            similarity *= ownTarget
            var entropy = ownTarget * x
            for piece in 0..<pieces {
                let (teacher, student) = (sums[piece * stride], sums[piece * stride - toTeacher])
                let x = Double(teacher.peak - teacherPeak) * teacherScale
                let factor = exp(x)
                teacherZ += factor * teacher.weight
                similarity += factor * student.crossSimilarity
                entropy += factor * (teacher.entropySum + x * teacher.weight)
            }
            ownTarget /= teacherZ
            similarity /= teacherZ
            floor = max(0, log(teacherZ) - entropy / teacherZ)
        }
        let loss = log(Z) + (Double(top.peak) - similarity) * studentScale

        // (q₀ − p₀) t + Σ (qⱼ − pⱼ) nⱼ, divided by N·τ.
        let mean = studentScale / Double(N)
        let ownFactor = Float((ownWeight / Z - ownTarget) * mean)
        for d in 0..<D { gradient[d] = hasOwnPair ? ownFactor * teacher[d] : 0 }
        for piece in 0..<pieces {
            let Gs = G + piece * stride * D
            let factor = Float(exp(Double(sums[piece * stride].peak - top.peak) * studentScale) / Z * mean)
            if teacherTemperature == nil {
                for d in 0..<D { gradient[d] += factor * Gs[d] }
            } else {
                let Gt = Gs + toTeacher * D
                let peak = sums[piece * stride + toTeacher].peak
                let teacherFactor = Float(exp(Double(peak - teacherPeak) * teacherScale) / teacherZ * mean)
                for d in 0..<D { gradient[d] += factor * Gs[d] - teacherFactor * Gt[d] }
            }
        }
        return (Float(loss), Float(floor), top.column == teacherColumn)
    }
}

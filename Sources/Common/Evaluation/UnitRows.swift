import Kernels
import Parallel
import Platform

/// Statistics of rows of length 1 on the unit sphere. Rows of zeros are included unchanged.
enum UnitRows {
    private static let block = 256

    /// The mean over the dimensions of √(mean x² − (mean x)²), times √D: 1 where directions are spread evenly, 0 where
    /// all are equal.
    static func deviation(_ rows: FeatureMatrix) -> Double {
        let (N, D) = (rows.samples, rows.dimension), blocks = 16
        var sums = [Double](repeating: 0, count: blocks * 2 * D)
        sums.withUnsafeMutableBufferPointer { sums in
            nonisolated(unsafe) let sums = sums
            Parallel.forEach(blocks) { piece, _ in
                for n in Parallel.part(piece, of: blocks, in: N) {
                    let row = rows.row(n)
                    for d in 0..<D {
                        sums[(2 * piece) * D + d] += Double(row[d])
                        sums[(2 * piece + 1) * D + d] += Double(row[d]) * Double(row[d])
                    }
                }
            }
        }
        let deviations = (0..<D).map { d in
            let (sum, square) = (0..<blocks).reduce((0.0, 0.0)) { ($0.0 + sums[2 * $1 * D + d], $0.1 + sums[(2 * $1 + 1) * D + d]) }
            return max(0, square / Double(N) - sum / Double(N) * sum / Double(N)).squareRoot()
        }
        return deviations.reduce(0, +) / Double(D) * Double(D).squareRoot()
    }

    /// ln of the mean of e^(−2‖x − y‖²) over the pairs of different images; nil where there is only one image.
    static func uniformity(_ rows: FeatureMatrix, images: [Int]) -> Double? {
        let (N, D) = (rows.samples, rows.dimension), blocks = (N + block - 1) / block
        var samples: [Int: [Int]] = [:]
        for (n, image) in images.enumerated() { samples[image, default: []].append(n) }
        let own = samples.values.filter { $0.count > 1 }.reduce(into: [Int: [Int]]()) { table, group in for n in group { table[n] = group } }
        let pairs = N * (N - 1) / 2 - samples.values.reduce(0) { $0 + $1.count * ($1.count - 1) / 2 }
        guard pairs > 0 else { return nil }
        // The squared distance of rows of length 1 is 2 − 2xy, so the term is e^(4xy − 4); with rows of twice the
        // length it is e^(xy − 4).
        let doubled = FeatureMatrix(samples: N, dimension: D)
        for i in 0..<N * D { doubled.memory.pointer[i] = 2 * rows.memory.pointer[i] }
        let workers = Parallel.threads, scratch = FloatBuffer(workers * block * block)
        var sums = [Double](repeating: 0, count: blocks)
        sums.withUnsafeMutableBufferPointer { sums in
            nonisolated(unsafe) let sums = sums
            Parallel.forEach(blocks, workers: workers) { i, worker in
                let z = scratch.pointer + worker * block * block, first = i * block, count = min(block, N - first)
                for j in i..<blocks {
                    let start = j * block, width = min(block, N - start)
                    Matrix.multiply(doubled.row(first), lda: D, doubled.row(start), .transposed, ldb: D, into: z, ldc: block, m: count, n: width, k: D)
                    for n in 0..<count {
                        let row = z + n * block
                        // Each pair once, and none within one image: e^(−204) is 0.
                        if i == j { for m in 0...n { row[m] = -200 } }
                        for m in own[first + n] ?? [] where (start..<start + width).contains(m) { row[m - start] = -200 }
                        sums[i] += SoftmaxLoss.exponentiate(row, width, minus: 4)
                    }
                }
            }
        }
        return log(sums.reduce(0, +) / Double(pairs))
    }

    /// The mean of ‖x − y‖² over the pairs of samples of one image, with equal weight for each image; nil where no
    /// image has two samples.
    static func alignment(_ rows: FeatureMatrix, images: [Int]) -> (value: Double, images: Int)? {
        var samples: [Int: [Int]] = [:]
        for (n, image) in images.enumerated() { samples[image, default: []].append(n) }
        // In the order of the images, so that the sum does not depend on the order of a dictionary.
        let groups = samples.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map(\.value)
        guard !groups.isEmpty else { return nil }
        let means = groups.map { group -> Double in
            var total = 0.0
            for (place, n) in group.enumerated() {
                for m in group[(place + 1)...] {
                    for d in 0..<rows.dimension {
                        let difference = Double(rows.row(n)[d]) - Double(rows.row(m)[d])
                        total += difference * difference
                    }
                }
            }
            return total / Double(group.count * (group.count - 1) / 2)
        }
        return (means.reduce(0, +) / Double(groups.count), groups.count)
    }
}

/// How far two networks agree on which samples are neighbours.
struct NeighbourAgreement {
    private let student: [[Int32]]
    private let teacher: [[Int32]]

    /// - Parameter k: the maximum number of neighbours that will be asked for, less than the number of samples.
    init(_ student: FeatureMatrix, _ teacher: FeatureMatrix, k: Int) {
        precondition(student.samples == teacher.samples && k < student.samples)
        func nearest(_ rows: FeatureMatrix) -> [[Int32]] {
            // One more, since each sample is its own neighbour, unless it has so many equals that it is not among the
            // first.
            let search = NeighbourSearch(queries: rows, k: k + 1)
            search.add(rows)
            let found = search.finish()
            return (0..<rows.samples).map { n in Array(found[n].lazy.map(\.index).filter { $0 != Int32(n) }.prefix(k)) }
        }
        (self.student, self.teacher) = (nearest(student), nearest(teacher))
    }

    /// The share of the teacher's k nearest neighbours that are among the student's k nearest.
    func share(k: Int) -> Double {
        let common = zip(student, teacher).reduce(0) { $0 + Set($1.0.prefix(k)).intersection($1.1.prefix(k)).count }
        return Double(common) / Double(max(1, k * student.count))
    }
}

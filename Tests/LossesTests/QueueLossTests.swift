import Foundation
import Losses
import Parallel
import TestSupport
import Testing

struct QueueLossTests {
    /// Runs a case of the golden file step by step and compares every number of every step, and the queue at the end.
    private func compare(_ name: String, _ objective: (EmbeddingQueue) -> QueueLoss, tolerance: Double) throws {
        let golden = try Golden("objectives")
        let shape = try golden.shape("\(name).student")
        let (steps, N, D) = (shape[0], shape[1], shape[2])
        let (student, teacher) = (try golden.floats("\(name).student"), try golden.floats("\(name).teacher"))
        let (loss, floor) = (try golden.floats("\(name).loss"), try golden.floats("\(name).floor"))
        let (gradient, agreement) = (try golden.floats("\(name).gradient"), try golden.floats("\(name).agreement"))
        var objective = objective(EmbeddingQueue(rows: try golden.floats("\(name).queue"), dimension: D, position: 0, filled: 0))
        for step in 0..<steps {
            let (rows, numbers) = (step * N..<(step + 1) * N, step * N * D..<(step + 1) * N * D)
            let values = objective.evaluate(Array(student[numbers]), Array(teacher[numbers]))
            #expect(relativeError(values.loss, loss[rows]) < tolerance, "loss of step \(step)")
            #expect(relativeError(values.gradient, gradient[numbers]) < tolerance, "gradient of step \(step)")
            let floors = try #require(values.floor)
            for (found, expected) in zip(floors, floor[rows]) {
                #expect(Double(abs(found - expected)) < tolerance * 10, "floor of step \(step)")
            }
            #expect(values.agreement == Array(agreement[rows]), "agreement of step \(step)")
        }
        let end = try golden.floats("\(name).end")
        #expect(objective.queue.rows == end)
        #expect(objective.queue.position == steps * N % objective.queue.capacity)
        #expect(objective.queue.filled == min(steps * N, objective.queue.capacity))
    }

    @Test func `SEED's losses, gradients and queue are PyTorch's over six steps round the end of the queue`() throws {
        try compare("seed", { QueueLoss.seed(queue: $0) }, tolerance: 1e-5)
    }

    @Test func `a teacher temperature of 0.0001 gives PyTorch's numbers and no NaN`() throws {
        try compare("seed-cold", { QueueLoss.seed(queue: $0, teacherTemperature: 1e-4) }, tolerance: 1e-5)
    }

    @Test func `a batch larger than the queue gives PyTorch's numbers`() throws {
        try compare("seed-large-batch", { QueueLoss.seed(queue: $0, teacherTemperature: 0.05) }, tolerance: 1e-5)
    }

    @Test func `a queue of several tiles and pieces gives PyTorch's numbers`() throws {
        try compare("seed-wide", { QueueLoss.seed(queue: $0, studentTemperature: 0.05, teacherTemperature: 0.07) }, tolerance: 1e-5)
    }

    @Test func `MoCo's losses, gradients and queue are PyTorch's over six steps`() throws {
        try compare("moco", { QueueLoss.infoNCE(queue: $0) }, tolerance: 1e-5)
    }

    @Test(arguments: [1, 15, 16, 17, 511, 513, 2049, 5000])
    func `any size of queue and batch gives what a plain loop gives`(K: Int) {
        let (N, D) = (K % 7 + 129, 12)
        let queue = EmbeddingQueue(capacity: K, dimension: D, seed: 3)
        let (student, teacher) = (normalizedRows(N, D, seed: 1), normalizedRows(N, D, seed: 2))
        let seed = QueueLoss.seed(queue: queue, studentTemperature: 0.07, teacherTemperature: 0.05).values(student, teacher)
        let expected = plain(student, teacher, queue, 0.07, 0.05)
        #expect(relativeError(seed.loss, expected.loss) < 1e-5)
        #expect(relativeError(seed.gradient, expected.gradient) < 1e-5)
        #expect(relativeError(seed.floor ?? [], expected.floor ?? []) < 1e-4)
        #expect(seed.agreement == expected.agreement)
        let moco = QueueLoss.infoNCE(queue: queue, temperature: 0.07).values(student, teacher)
        let oneHot = plain(student, teacher, queue, 0.07, nil)
        #expect(relativeError(moco.loss, oneHot.loss) < 1e-5)
        #expect(relativeError(moco.gradient, oneHot.gradient) < 1e-5)
        #expect(moco.floor == oneHot.floor && moco.agreement == oneHot.agreement)
    }

    @Test func `a teacher nearer to queue rows than to itself, and ever nearer along the queue, gives what a plain loop gives`() {
        // Rows longer than 1, as rounding produces at small temperatures; much longer here, so that every sum is
        // rescaled.
        let (N, D, K) = (9, 6, 3000)
        let rows = normalizedRows(K, D, seed: 3)
        let queue = EmbeddingQueue(rows: rows.indices.map { rows[$0] * (0.5 + 2 * Float($0 / D) / Float(K)) }, dimension: D, position: 0, filled: K)
        let (student, teacher) = (normalizedRows(N, D, seed: 1), normalizedRows(N, D, seed: 2))
        let seed = QueueLoss.seed(queue: queue, studentTemperature: 0.3, teacherTemperature: 0.4).values(student, teacher)
        let expected = plain(student, teacher, queue, 0.3, 0.4)
        #expect(relativeError(seed.loss, expected.loss) < 1e-5)
        #expect(relativeError(seed.gradient, expected.gradient) < 1e-5)
        #expect(relativeError(seed.floor ?? [], expected.floor ?? []) < 1e-5)
        #expect(seed.agreement == expected.agreement)
    }

    @Test(arguments: [(0.2, 0.01), (0.01, 1e-4), (1, 1)])
    func `the gradient is the derivative of the mean loss`(temperatures: (Double, Double)) {
        let (N, D) = (6, 10)
        let objective = QueueLoss.seed(
            queue: EmbeddingQueue(capacity: 50, dimension: D, seed: 9), studentTemperature: temperatures.0, teacherTemperature: temperatures.1)
        let (student, teacher) = (normalizedRows(N, D, seed: 1), normalizedRows(N, D, seed: 2))
        let step = Float(min(temperatures.0, 0.1)) * 0.1
        expectDerivative(
            objective.values(student, teacher).gradient, of: { objective.values($0, teacher).mean }, at: student, step: step, tolerance: 5e-3)
        let moco = QueueLoss.infoNCE(queue: objective.queue, temperature: temperatures.0)
        expectDerivative(moco.values(student, teacher).gradient, of: { moco.values($0, teacher).mean }, at: student, step: step, tolerance: 5e-3)
    }

    @Test(arguments: [1, 100, 65536])
    func `equal logits have a loss of ln(K + 1)`(K: Int) {
        // All rows have the same direction, so every logit is 1/τ.
        let row: [Float] = [1, 0, 0, 0]
        let queue = EmbeddingQueue(rows: (0..<K).flatMap { _ in row }, dimension: 4, position: 0, filled: K)
        let seed = QueueLoss.seed(queue: queue)
        let moco = QueueLoss.infoNCE(queue: queue)
        let expected = log(Double(K) + 1)
        #expect(abs(seed.values(row, row).mean - expected) < 1e-5 * expected)
        #expect(abs(moco.values(row, row).mean - expected) < 1e-5 * expected)
        #expect(abs(seed.uniformLoss - expected) < 1e-12)
        if K == 65536 { #expect(abs(moco.uniformLoss - 11.09037) < 1e-5) }
    }

    @Test func `no loss is below its floor`() throws {
        let queue = EmbeddingQueue(capacity: 700, dimension: 8, seed: 4)
        let teacher = normalizedRows(100, 8, seed: 1)
        for temperature in [1e-4, 0.01, 0.2, 1] {
            let values = QueueLoss.seed(queue: queue, teacherTemperature: temperature).values(normalizedRows(100, 8, seed: 2), teacher)
            for (loss, floor) in zip(values.loss, try #require(values.floor)) { #expect(loss >= floor - 1e-5 && floor >= 0) }
        }
    }

    @Test func `a student that is its teacher, at its teacher's temperature, has the floor as loss and no gradient`() throws {
        let teacher = normalizedRows(64, 16, seed: 1)
        let objective = QueueLoss.seed(queue: EmbeddingQueue(capacity: 3000, dimension: 16, seed: 4), studentTemperature: 0.1, teacherTemperature: 0.1)
        let values = objective.values(teacher, teacher)
        let floor = try #require(values.floor)
        for (loss, floor) in zip(values.loss, floor) { #expect(abs(loss - floor) < 1e-5 && floor > 1) }
        #expect(values.gradient.allSatisfy { abs($0) < 1e-7 })
        // The same rows in another order do have a gradient.
        #expect(objective.values(Array(teacher.reversed()), teacher).gradient.contains { abs($0) > 1e-3 })
    }

    @Test func `logits are those before the enqueue`() {
        let teacher = normalizedRows(4, 8, seed: 1)
        var objective = QueueLoss.infoNCE(queue: EmbeddingQueue(capacity: 4, dimension: 8, seed: 2), temperature: 0.05)
        let first = objective.evaluate(teacher, teacher)
        #expect(objective.queue.rows == teacher)
        // The sample's own key is now also in the queue: twice in the denominator.
        let second = objective.evaluate(teacher, teacher)
        #expect(first.mean < 0.1 && second.mean > 0.69)
    }

    @Test func `one thread and four give the same bytes`() async {
        await #expect(processExitsWith: .success) {
            let queue = EmbeddingQueue(capacity: 9000, dimension: 24, seed: 4)
            let (student, teacher) = (normalizedRows(300, 24, seed: 1), normalizedRows(300, 24, seed: 2))
            let seed = QueueLoss.seed(queue: queue), moco = QueueLoss.infoNCE(queue: queue), labels = (0..<300).map { Int32($0 % 11) }
            func values() -> [LossValues] { [seed.values(student, teacher), moco.values(student, teacher), supervised(student, labels, 24)] }
            let alone = values()
            Parallel.setThreads(4)
            #expect(allAtWork(4))
            for _ in 0..<5 { #expect(values() == alone) }
        }
    }

    @Test func `NaN in a row shows in its loss and in no other`() {
        var student = normalizedRows(3, 8, seed: 1)
        student[9] = .nan
        let values = QueueLoss.seed(queue: EmbeddingQueue(capacity: 40, dimension: 8, seed: 2)).values(student, normalizedRows(3, 8, seed: 2))
        #expect(values.loss.map(\.isNaN) == [false, true, false])
    }

    @Test func `no rows give no loss`() {
        let values = QueueLoss.seed(queue: EmbeddingQueue(capacity: 40, dimension: 8, seed: 2)).values([], [])
        #expect(values.loss.isEmpty && values.gradient.isEmpty && values.mean == 0)
    }

    /// The definition, in double precision, one number at a time.
    private func plain(_ student: [Float], _ teacher: [Float], _ queue: EmbeddingQueue, _ ts: Double, _ tt: Double?) -> LossValues {
        let (D, K) = (queue.dimension, queue.capacity)
        let N = student.count / D
        var values = LossValues(loss: [], gradient: [Float](repeating: 0, count: N * D), floor: [], agreement: [])
        for n in 0..<N {
            let (s, t) = (student[n * D..<(n + 1) * D].map(Double.init), teacher[n * D..<(n + 1) * D].map(Double.init))
            let columns = [t] + (0..<K).map { queue.rows[$0 * D..<($0 + 1) * D].map(Double.init) }
            func softmax(_ row: [Double], _ temperature: Double) -> [Double] {
                let logits = columns.map { zip(row, $0).reduce(0) { $0 + $1.0 * $1.1 } / temperature }
                let peak = logits.max() ?? 0
                let weights = logits.map { exp($0 - peak) }
                let sum = weights.reduce(0, +)
                return weights.map { $0 / sum }
            }
            let q = softmax(s, ts)
            let p = tt.map { softmax(t, $0) } ?? [1] + [Double](repeating: 0, count: K)
            values.loss.append(Float(-zip(p, q).reduce(0) { $0 + ($1.0 > 0 ? $1.0 * log($1.1) : 0) }))
            values.floor?.append(Float(-p.reduce(0) { $0 + ($1 > 0 ? $1 * log($1) : 0) }))
            values.agreement?.append(q.firstIndex(of: q.max() ?? 0) == p.firstIndex(of: p.max() ?? 0) ? 1 : 0)
            for d in 0..<D {
                let slope = columns.indices.reduce(0) { $0 + (q[$1] - p[$1]) * columns[$1][d] }
                values.gradient[n * D + d] = Float(slope / (ts * Double(N)))
            }
        }
        values.counted = N
        return values
    }
}

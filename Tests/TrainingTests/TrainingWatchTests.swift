import Foundation
import Testing
import Training

struct TrainingWatchTests {
    private let capacity = 2000
    private var largest: Double { log(2001) - 5 }

    /// Epochs of twelve steps with the divergences given, of a student whose embeddings differ, on a full queue. The floor is 5.
    private func notes(_ epochs: [(Int) -> Double], real: (Int, Int) -> Int = { _, _ in 2000 }, before: Double? = nil) -> (notes: [String], divergence: Double?) {
        var watch = TrainingWatch(divergence: before, comparesDivergence: true)
        watch.remedy = { _ in "do otherwise" }
        for (epoch, divergence) in epochs.enumerated() {
            for step in 0..<12 {
                watch.add(
                    StepReport(pictures: 10, epoch: epoch, step: step, loss: 5 + divergence(step), floor: 5, studentCosine: 0.3, teacherCosine: 0, learningRate: 0.1, gradientNorm: 1),
                    queue: (real(epoch, step), capacity), steps: 12 * epoch + step + 1)
            }
        }
        watch.endEpoch()
        return (watch.takeNotes(), watch.divergence)
    }

    /// The notes of a student whose embeddings have these mean cosines, batch by batch.
    private func notes(cosines: [Double?], teacher: Double? = 0.1, before: Int = 1000, queue: (Int) -> (real: Int, capacity: Int)?) -> [String] {
        var watch = TrainingWatch(divergence: nil, comparesDivergence: true)
        for (step, cosine) in cosines.enumerated() {
            watch.add(StepReport(pictures: 10, epoch: 0, step: step, loss: 3, studentCosine: cosine, teacherCosine: teacher, learningRate: 0.1, gradientNorm: 1), queue: queue(step), steps: before + step + 1)
        }
        return watch.takeNotes()
    }

    @Test func `an epoch whose last quarter is no lower than that of the one before is told`() {
        let high = largest * 0.95
        let told = notes([{ _ in high }, { step in step < 9 ? 0.1 : high }])
        #expect(told.notes.count == 1)
        #expect(told.notes[0] == "KL has not fallen in epoch 1: \(String(format: "%.3f", high)) at its end, \(String(format: "%.3f", high)) at the end of the one before, 2.601 for a student that knows nothing; do otherwise")
        #expect(abs((told.divergence ?? 0) - high) < 1e-9)
        // Less than a hundredth is nothing to a student that knows nothing.
        #expect(notes([{ _ in high }, { _ in 0.995 * high }]).notes.count == 1)
        // Three epochs, two of them in vain.
        #expect(notes([{ _ in high }, { _ in high }, { _ in high }]).notes.count == 2)
    }

    @Test func `an epoch is compared with the one that the checkpoint tells of`() {
        let high = largest * 0.95
        #expect(notes([{ _ in high }], before: high).notes.count == 1)
        #expect(notes([{ _ in high }], before: 1.02 * high).notes.isEmpty)
        #expect(notes([{ _ in high }], before: nil).notes.isEmpty)
    }

    @Test func `progress and the end of a training are not told`() {
        let high = largest * 0.95
        #expect(notes([{ _ in high }, { _ in 0.98 * high }, { _ in 0.9 * high }, { _ in 0.7 * high }]).notes.isEmpty)
        // A student that knows most has little left to learn.
        #expect(notes([{ _ in 0.4 * high }, { _ in 0.4 * high }, { _ in 0.41 * high }]).notes.isEmpty)
        // In between, slow progress is some.
        #expect(notes([{ _ in 0.7 * high }, { _ in 0.699 * high }]).notes.isEmpty)
        #expect(notes([{ _ in 0.7 * high }, { _ in 0.701 * high }]).notes.count == 1)
    }

    @Test func `what random rows of the queue do to an epoch is not told`() {
        let high = largest * 0.95
        // KL rises while real rows take their place: the first epoch's end does not count.
        let filling = notes([{ _ in 0.5 * high }, { _ in high }, { _ in 0.9 * high }], real: { epoch, step in epoch == 0 ? 100 * step : 2000 })
        #expect(filling.notes.isEmpty)
        let still = notes([{ _ in 0.5 * high }, { _ in high }], real: { epoch, step in epoch * 1000 + 50 * step })
        #expect(still.notes.isEmpty && still.divergence == nil)
    }

    @Test func `embeddings that are all alike are told once, with the teacher's`() {
        let notes = notes(cosines: [Double?](repeating: 0.999, count: 100), queue: { _ in (50, 50) })
        #expect(notes.count == 1)
        #expect(notes[0].hasPrefix("the student's embeddings are all alike at epoch 0, step 19 (mean cosine of two: 0.999, the teacher's 0.100), and it learns next to nothing; "))
        #expect(notes[0].hasSuffix("lower the learning rate, or warm up for an epoch"))
    }

    @Test func `neither the first steps nor a few batches nor a teacher like that are told`() {
        let alike = [Double?](repeating: 0.999, count: 100)
        #expect(notes(cosines: alike, queue: { (min(50, $0 / 2), 51) }).isEmpty)
        #expect(notes(cosines: Array(alike.prefix(TrainingWatch.batches - 1)), queue: { _ in (50, 50) }).isEmpty)
        #expect(notes(cosines: alike, teacher: 0.99, queue: { _ in (50, 50) }).isEmpty)
        #expect(notes(cosines: Array(alike.prefix(TrainingWatch.firstSteps + TrainingWatch.batches - 1)), before: 0, queue: { _ in (50, 50) }).isEmpty)
        #expect(notes(cosines: alike, before: 0, queue: { _ in (50, 50) }).count == 1)
        // What good students go through.
        #expect(notes(cosines: alike.map { _ in 0.97 }, queue: { _ in (50, 50) }).isEmpty)
        #expect(notes(cosines: alike.map { _ in nil }, queue: { _ in (50, 50) }).isEmpty)
        // Of a loss that tells nothing of its queue, the steps count from the first.
        #expect(notes(cosines: alike, queue: { _ in nil }).count == 1)
    }
}

import Foundation
import Objectives
import Testing
import Training

struct TrainingWatchTests {
    private let capacity = 2000
    private var largest: Double { log(2001) - 5 }

    private func report(
        _ epoch: Int, _ step: Int, loss: Double, floor: Double? = nil, cosine: Double?, teacher: Double?, queue: (real: Int, capacity: Int)?
    ) -> StepReport {
        var metrics = [floor.map { Metric.floor($0) }, cosine.map { .studentCosine($0) }, teacher.map { .teacherCosine($0) }].compactMap { $0 }
        if let queue { metrics += [.uniformLoss(log(Double(queue.capacity) + 1)), .queueFill(Double(queue.real) / Double(queue.capacity))] }
        return StepReport(images: 10, epoch: epoch, step: step, loss: loss, metrics: metrics, learningRate: 0.1, gradientNorm: 1)
    }

    /// Epochs of so many steps with the given divergences, for a student whose embeddings differ, with a full queue.
    /// The floor is 5.
    private func notes(
        _ epochs: [(Int) -> Double], steps length: Int = 60, real: (Int, Int) -> Int = { _, _ in 2000 }, before: Double? = nil
    ) -> (notes: [String], divergence: Double?) {
        var watch = TrainingWatch(divergence: before, comparesDivergence: true)
        for (epoch, divergence) in epochs.enumerated() {
            for step in 0..<length {
                watch.add(report(epoch, step, loss: 5 + divergence(step), floor: 5, cosine: 0.3, teacher: 0, queue: (real(epoch, step), capacity)), steps: length * epoch + step + 1)
            }
        }
        watch.endEpoch()
        return (watch.takeNotes { _ in "do otherwise" }, watch.divergence)
    }

    /// The notes on a student whose embeddings have these mean cosines, batch by batch.
    private func notes(cosines: [Double?], teacher: Double? = 0.1, before: Int = 1000, queue: (Int) -> (real: Int, capacity: Int)?) -> [String] {
        var watch = TrainingWatch(divergence: nil, comparesDivergence: true)
        for (step, cosine) in cosines.enumerated() {
            watch.add(report(0, step, loss: 3, cosine: cosine, teacher: teacher, queue: queue(step)), steps: before + step + 1)
        }
        return watch.takeNotes { _ in "do otherwise" }
    }

    @Test func `an epoch whose last quarter is no lower than that of the one before is told`() {
        let high = largest * 0.95
        let told = notes([{ _ in high }, { step in step < 45 ? 0.1 : high }])
        #expect(told.notes.count == 1)
        #expect(told.notes[0] == "KL did not fall in epoch 1: \(String(format: "%.3f", high)) at its end, \(String(format: "%.3f", high)) at the end of the previous one, 2.601 for a student that knows nothing; do otherwise")
        #expect(abs((told.divergence ?? 0) - high) < 1e-9)
        // A fall of less than a hundredth does not count for a student that has learnt nothing.
        #expect(notes([{ _ in high }, { _ in 0.995 * high }]).notes.count == 1)
        // Three epochs, two of them without progress.
        #expect(notes([{ _ in high }, { _ in high }, { _ in high }]).notes.count == 2)
    }

    @Test func `an epoch is compared with the one that the checkpoint tells of`() {
        let high = largest * 0.95
        #expect(notes([{ _ in high }], before: high).notes.count == 1)
        #expect(notes([{ _ in high }], before: 1.02 * high).notes.isEmpty)
        #expect(notes([{ _ in high }], before: nil).notes.isEmpty)
    }

    @Test func `a collapse to the last bit is told at the end of a short epoch, whatever rounding makes of it`() {
        for cosine in [1, 1 + 4.7e-9, 1 - 1e-9] {
            for batches in [10, 40] {
                var watch = TrainingWatch(divergence: nil, comparesDivergence: false, hasTeacher: false)
                for step in 0..<batches {
                    watch.add(report(0, step, loss: 3, cosine: step % 2 == 0 ? cosine : 1, teacher: nil, queue: nil), steps: step + 1)
                }
                watch.endEpoch()
                let notes = watch.takeNotes { _ in "do otherwise" }
                #expect(notes.count == 1 && notes.first?.contains("all alike") == true, "\(cosine), \(batches): \(notes)")
            }
        }
    }

    @Test func `embeddings that are on one line and stay there are told once, of methods without labels and of batches that are large enough`() {
        func notes(rank: (Int) -> Double, cosine: (Int) -> Double = { _ in 0.3 }, images: Int = 32, steps: Int = 60, judges: Bool = true) -> [String] {
            var watch = TrainingWatch(divergence: nil, comparesDivergence: false, judgesRank: judges)
            for step in 0..<steps {
                let metrics: [Metric] = [.studentCosine(cosine(step)), .effectiveRank(rank(step))]
                watch.add(StepReport(images: images, epoch: 0, step: step, loss: 1, metrics: metrics, learningRate: 0.1, gradientNorm: 1), steps: 1000 + step)
            }
            watch.endEpoch()
            return watch.takeNotes { _ in "do otherwise" }
        }
        func told(_ step: Int) -> [String] { ["the student's embeddings have collapsed to a line at epoch 0, step \(step) (effective rank 1.20); do otherwise"] }
        #expect(notes { _ in 1.2 } == told(59))
        #expect(notes { 1.2 - 0.001 * Double($0) } == told(59))
        #expect(notes(rank: { _ in 1.2 }, steps: 500) == told(199))
        let others = [
            notes { _ in 1.6 }, notes { $0 % 15 == 0 ? 2 : 1.2 }, notes(rank: { _ in 1.2 }, images: 8), notes(rank: { _ in 1.2 }, judges: false), notes(rank: { _ in 1.2 }, steps: 19),
            // As DisCo and BINGO begin: embeddings nearly alike, then on a line along which the images separate, then
            // off it.
            notes(rank: { 1.2 - 0.003 * Double($0) }, cosine: { 0.999 - 0.001 * Double($0) }), notes { 1.05 + 0.002 * Double($0) },
        ]
        for other in others { #expect(other.isEmpty) }
    }

    /// The notes on one epoch of 80 steps.
    private func notes(hasTeacher: Bool, images: Int = 32, _ metrics: [Metric]) -> [String] {
        var watch = TrainingWatch(divergence: nil, comparesDivergence: false, hasTeacher: hasTeacher)
        for step in 0..<80 { watch.add(StepReport(images: images, epoch: 0, step: step, loss: 1, metrics: metrics, learningRate: 0.1, gradientNorm: 1), steps: step + 1) }
        watch.endEpoch()
        return watch.takeNotes { _ in "do otherwise" }
    }

    @Test func `a collapse is told although the keys of the student's average collapse with it, and although rows of zeros have no cosine`() {
        let told = notes(hasTeacher: false, [.studentCosine(0.9999), .teacherCosine(0.9999)])
        #expect(told == ["the student's embeddings are all alike at epoch 0, step 69 (mean cosine of two: 1.000), and it learns almost nothing; do otherwise"])
        #expect(notes(hasTeacher: false, [.studentCosine(0), .spread(0)]).first?.hasPrefix("the student's embeddings are all alike at epoch 0") == true)
        #expect(notes(hasTeacher: false, [.studentCosine(0.98), .teacherCosine(0.99), .spread(0.1)]).isEmpty)
        // If the teacher's embeddings are nearly alike, that is all that can be learnt.
        #expect(notes(hasTeacher: true, [.studentCosine(0.9999), .teacherCosine(0.9999)]).isEmpty)
    }

    @Test func `an epoch whose batches have one image each is told once`() {
        #expect(notes(hasTeacher: true, images: 1, []) == ["each batch of epoch 0 has one image: there is no other to compare it with, and batch norm normalizes it by itself; use larger batches (augment --batch 64)"])
        #expect(notes(hasTeacher: true, images: 2, []).isEmpty)
    }

    @Test func `progress and the end of a training are not told`() {
        let high = largest * 0.95
        #expect(notes([{ _ in high }, { _ in 0.98 * high }, { _ in 0.9 * high }, { _ in 0.7 * high }]).notes.isEmpty)
        // A student that has learnt most has little left to learn.
        #expect(notes([{ _ in 0.4 * high }, { _ in 0.4 * high }, { _ in 0.41 * high }]).notes.isEmpty)
        // In between, slow progress counts as progress.
        #expect(notes([{ _ in 0.7 * high }, { _ in 0.699 * high }]).notes.isEmpty)
        #expect(notes([{ _ in 0.7 * high }, { _ in 0.701 * high }]).notes.count == 1)
    }

    @Test func `what random rows of the queue do to an epoch is not told`() {
        let high = largest * 0.95
        // KL rises while real rows fill the queue: the first epoch's end does not count.
        let filling = notes([{ _ in 0.5 * high }, { _ in high }, { _ in 0.9 * high }], real: { epoch, step in epoch == 0 ? 20 * step : 2000 })
        #expect(filling.notes.isEmpty)
        let still = notes([{ _ in 0.5 * high }, { _ in high }], real: { epoch, step in epoch * 1000 + 10 * step })
        #expect(still.notes.isEmpty && still.divergence == nil)
    }

    @Test func `of a short epoch only a student that still knows nothing is told`() {
        // A student that learns can fluctuate this much by chance in the few steps of an epoch.
        #expect(notes([{ _ in 0.95 * largest }, { _ in 0.96 * largest }], steps: 12).notes.isEmpty)
        #expect(notes([{ _ in 0.6 * largest }, { _ in 0.7 * largest }], steps: 12).notes.isEmpty)
        #expect(notes([{ _ in 0.999 * largest }, { _ in largest }], steps: 12).notes.count == 1)
        // With three steps an epoch: four epochs are long enough, the first three are not.
        #expect(notes([Double](repeating: 0.999 * largest, count: 6).map { value in { _ in value } }, steps: 3).notes.count == 3)
        // It falls, if slowly.
        #expect(notes([{ _ in largest }, { _ in 0.985 * largest }], steps: 12).notes.isEmpty)
    }

    /// The notes at the end of one epoch of a student with these mean cosines.
    private func end(_ cosines: [Double?], teacher: Double? = 0.1, before: Int = 0, real: Int = 50) -> [String] {
        var watch = TrainingWatch(divergence: nil, comparesDivergence: true)
        for (step, cosine) in cosines.enumerated() {
            watch.add(report(0, step, loss: 3, cosine: cosine, teacher: teacher, queue: (real, 50)), steps: before + step + 1)
        }
        #expect(watch.takeNotes { _ in "do otherwise" }.isEmpty)
        watch.endEpoch()
        return watch.takeNotes { _ in "do otherwise" }
    }

    @Test func `embeddings that are all alike to the end of an epoch are told, however short it is`() {
        let alike = [0.88, 0.995] + [Double](repeating: 0.999, count: 10)
        for (cosines, before) in [(alike, 0), (Array(alike.prefix(5)), 0), ([0.999], 3), ([0.999, 0.999], 40)] {
            let notes = end(cosines, before: before)
            #expect(notes.count == 1 && notes[0].contains("all alike at epoch 0, step \(cosines.count - 1) (mean cosine of two: 0.999, the teacher's 0.100)"), "\(cosines) \(notes)")
        }
        // A queue with more rows than there are images never fills.
        #expect(end(alike, real: 7).count == 1)
    }

    @Test func `a short epoch of a student that learns is not told`() {
        func row(_ cosine: Double, _ count: Int) -> [Double] { [Double](repeating: cosine, count: count) }
        // Measured at good rates, the first steps at the highest; alike for a while, and separated at the end;
        // separating.
        let learning = [
            [0.88, 0.99, 0.94, 0.93, 0.9, 0.9, 0.88, 0.9], [0.883, 0.9996, 0.992], row(0.97, 12), row(0.999, 10) + row(0.9, 2), row(0.9999, 10) + row(0.995, 7),
        ]
        for cosines in learning { #expect(end(cosines).isEmpty, "\(cosines)") }
        // As alike as the teacher's; and for a loss that does not report it.
        #expect(end(row(0.999, 12), teacher: 0.99).isEmpty)
        #expect(end([nil, nil, nil, nil, nil]).isEmpty)
    }

    @Test func `embeddings that are all alike are told once, with the teacher's`() {
        let notes = notes(cosines: [Double?](repeating: 0.999, count: 100), queue: { _ in (50, 50) })
        #expect(notes.count == 1)
        #expect(notes[0].hasPrefix("the student's embeddings are all alike at epoch 0, step 19 (mean cosine of two: 0.999, the teacher's 0.100), and it learns almost nothing; "))
        #expect(notes[0].hasSuffix("; do otherwise"))
    }

    @Test func `neither the first steps nor a few batches nor a teacher like that are told`() {
        let alike = [Double?](repeating: 0.999, count: 100)
        #expect(notes(cosines: alike, queue: { (min(50, $0 / 2), 51) }).isEmpty)
        #expect(notes(cosines: Array(alike.prefix(TrainingWatch.batches - 1)), queue: { _ in (50, 50) }).isEmpty)
        #expect(notes(cosines: alike, teacher: 0.99, queue: { _ in (50, 50) }).isEmpty)
        #expect(notes(cosines: Array(alike.prefix(TrainingWatch.firstSteps + TrainingWatch.batches - 1)), before: 0, queue: { _ in (50, 50) }).isEmpty)
        #expect(notes(cosines: alike, before: 0, queue: { _ in (50, 50) }).count == 1)
        // Values that good students pass through.
        #expect(notes(cosines: alike.map { _ in 0.97 }, queue: { _ in (50, 50) }).isEmpty)
        #expect(notes(cosines: alike.map { _ in nil }, queue: { _ in (50, 50) }).isEmpty)
        // If a loss does not report its queue, the steps count from the first.
        #expect(notes(cosines: alike, queue: { _ in nil }).count == 1)
    }
}

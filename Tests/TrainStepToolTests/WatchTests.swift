import Foundation
import TensorStreams
import TestSupport
import Testing

/// A student that learns nothing is reported to its user, and a loss that does not answer is stopped.
struct WatchTests {
    /// A student whose head gives the same output for every image, and a stream of 84 batches.
    private func place() throws -> Workplace {
        let place = try Workplace.training()
        try place.run("augment --data pictures/train --size 16 --batch 16 --epochs 14 -q | embed --weights teacher -q -o long")
        try place.change("student", into: "alike") { document in
            let weight = try #require(document.tensors["fc.2.weight"])
            document.tensors["fc.2.weight"] = Tensor(f32: try weight.floats().map { $0 * 1e-3 }, shape: weight.shape)
            document.tensors["fc.2.bias"] = Tensor(f32: (0..<16).map { 1 + 0.1 * Float($0) }, shape: [16])
        }
        return place
    }

    @Test func `a student whose embeddings are all alike is told once, with what to change`() throws {
        let place = try place()
        let options = "--queue-size 40 --schedule constant --learning-rate 1e-6"
        let result = try place.run("train-step --student alike long \(options) --centre none --log log -o out")
        let told = result.lines.filter { $0.contains("all alike at epoch") }
        #expect(result.status == 0 && told.count == 1, "\(result.error)")
        // At the end of an epoch, and before fifty steps.
        #expect(try #require(told.first).contains(#/^train-step: tiny-resnet10: the student's embeddings are all alike at epoch [0-7], step 5 /#), "\(told)")
        for words in ["start again, and subtract the teacher's mean (--centre auto), or find the teacher's temperature", "raise the learning rate (--learning-rate 0.03)", "--warm-up 1"] {
            #expect(told.first?.contains(words) == true, "\(told)")
        }
        let log = try place.text("log").split(separator: "\n")
        #expect(!log.isEmpty && log.allSatisfy { $0.contains("\"student_cosine\":0.99") && $0.contains("\"teacher_cosine\":") })
        #expect(result.lines.last?.contains("mean cosine 1.00, teacher's mean cosine ") == true)
        let other = try place.run("train-step --student student long \(options) -o out")
        #expect(other.status == 0 && !other.error.contains("all alike at epoch"), "\(other.error)")
        let quiet = try place.run("train-step --student alike long \(options) -q -o out")
        #expect(quiet.status == 0 && quiet.error.isEmpty)
    }

    @Test func `KL that does not fall from one epoch to the next is told, whether they are one stream or two`() throws {
        let place = try place()
        let options = "--queue-size 40 --schedule constant --learning-rate 0 --teacher-temperature auto"
        try place.run("augment --data pictures/train --size 16 --batch 16 --epochs 2 -q | embed --weights teacher -q -o both")
        let (first, second) = (try place.run("train-step --student alike taught \(options) -o 1"), try place.run("train-step --student 1 taught \(options) -o 2"))
        #expect(!first.error.contains("KL did not fall") && second.error.contains("train-step: tiny-resnet10: KL did not fall in epoch 0: "), "\(first.error)\(second.error)")
        let kept = try ["1", "2"].map { try #require(Double(place.document($0).metadata["kl"] ?? "")) }
        #expect(kept.allSatisfy { $0 > 0 } && second.error.contains(", \(String(format: "%.3f", kept[0])) at the end of the previous one"))
        let both = try place.run("train-step --student alike both \(options) -o 2b")
        #expect(both.error.contains("KL did not fall in epoch 1: "), "\(both.error)")
    }

    private static let stuck = ["sleep 1000", "sleep 1000; true", "cat > /dev/null & sleep 1000", "trap '' TERM; sleep 1000 & sleep 1000; wait", "exec >&-; sleep 1000"]

    @Test(.timeLimit(.minutes(10)), arguments: stuck)
    func `a loss that gives no answer is stopped after the time it is given, with all it has started`(program: String) throws {
        let place = try Workplace.training()
        let program = program.replacing("sleep 1000", with: "sh -c \"echo \\$\\$ >> started; exec sleep 1000\"")
        try place.write(program, to: "loss.sh")
        let before = Date.now
        try place.expectStopped("train-step --student student taught --loss 'sh loss.sh' --loss-timeout 1 -q -o out")
        #expect(Date.now.timeIntervalSince(before) < 300)
        for process in try place.text("started").split(separator: "\n").compactMap({ Int32($0) }) {
            // A killed process ends when it next gets a processor.
            #expect(waitUntil { !ProcessState.isAlive(process) }, "\(process)")
        }
    }

    @Test(.timeLimit(.minutes(10))) func `a loss that stops answering in the middle, or does not end, is stopped too`() throws {
        let place = try Workplace.training()
        try place.run("train-step --student student taught -q --loss 'tee seen | queue-loss -q | tee answers' -o whole")
        let answers = try place.bytes("answers")
        try place.write(answers.prefix(answers.count / 2), to: "half")
        for program in ["cat half; sleep 1000", "cat half; cat > /dev/null; sleep 1000", "queue-loss -q; sleep 1000"] {
            try place.expectStopped("train-step --student student taught --loss '\(program)' --loss-timeout 1 -q -o out")
        }
        // A sufficient timeout changes nothing.
        let result = try place.run("train-step --student student taught --loss 'queue-loss -q' --loss-timeout 50 -q -o timed && train-step --student student taught --loss 'queue-loss -q' -q -o free")
        #expect(result.status == 0 && result.error.isEmpty)
        #expect(try place.bytes("timed") == place.bytes("free"))
    }

    @Test(arguments: [
        ("--loss-timeout 5", "--loss-timeout is of no use without --loss"), ("--loss x --loss-timeout 0", "--loss-timeout takes 0.01 to"),
        ("--loss x --loss-timeout nan", "--loss-timeout takes"), ("--loss x --loss-timeout soon", "--loss-timeout"),
    ])
    func `a time that is none is 64`(options: String, words: String) throws {
        try Workplace().expectFailure("train-step --student s \(options) -o out", 64, words)
    }
}

extension Workplace {
    fileprivate func expectStopped(_ line: String, location: SourceLocation = #_sourceLocation) throws {
        let result = try run(line)
        #expect(result.status == 74 && result.lines.count == 1, "\(result.status) \(result.error)", sourceLocation: location)
        #expect(
            result.error.hasPrefix("train-step: --loss '") && result.error.contains("gave no answer for 1.0 s, the limit of --loss-timeout, and was stopped; run it by hand"),
            "\(result.error)", sourceLocation: location)
        #expect(!exists("out") && !hasUnfinished, sourceLocation: location)
    }
}

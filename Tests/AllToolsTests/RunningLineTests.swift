import Foundation
import TestSupport
import Testing

/// The progress line that a user sees if a pipeline stage says that its output ends in a terminal.
struct RunningLineTests {
    let place: Workplace
    /// A stream in two pieces, with a pause long enough for a tool to start on the first.
    private let slow = "(head -c 2000 v; sleep 2; tail -c +2001 v)"

    init() throws {
        place = try Workplace()
        try place.perform("""
            synthesize -o s --train 64 --test 16 --classes 2 --size 16 --shards 1 -q
            initialize --network tiny-resnet10 -q -o w; initialize --network tiny-resnet10 --seed 1 -q -o student
            augment --data s/train --size 16 --batch 8 -q -o v; embed --weights w -q v -o rows
            """)
    }

    @Test func `the running line names the stage, how much is left and how long it has waited, and gives way to the closing one`() throws {
        for (tool, command) in [("embed", "embed --weights w -o e"), ("train-step", "embed --weights w -q | train-step --student student --queue-size 8 -o t")] {
            let all = try place.run("export SEED_PROGRESS=student.7; \(slow) | \(command)").error
            let running = all.components(separatedBy: "\r\u{1B}[K").filter { $0.hasPrefix("student.7: ") }
            #expect(!running.isEmpty && running.allSatisfy { $0.contains(" of 64 images, ") && $0.contains("/s") && $0.contains(", waiting ") && !$0.contains("\n") }, "\(all)")
            // A line that is too long loses its end, here the method's values.
            #expect(running.allSatisfy { $0.components(separatedBy: ", waiting ").first?.contains("loss") == false }, "\(all)")
            #expect(all.hasSuffix("\n") && all.split(separator: "\n").last?.contains("\(tool): 64 images in ") == true, "\(all)")
        }
    }

    @Test func `without a terminal nothing acts on one`() throws {
        let said = try place.run("\(slow) | embed --weights w -o e").error
        #expect(!said.contains("\u{1B}") && !said.contains("\r"), "\(said)")
    }

    @Test func `a program that a tool starts does not write to the same line`() throws {
        let said = try place.run("export SEED_PROGRESS=student.7; train-step rows --student student --loss 'echo \"[${SEED_PROGRESS:-none}]\" >&2; queue-loss --queue-size 8' -q -o t").error
        #expect(said.contains("[none]") && !said.contains("[student.7]"), "\(said)")
    }
}

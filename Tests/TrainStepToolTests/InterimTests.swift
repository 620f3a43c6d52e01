import Foundation
import Platform
import TensorStreams
import TestSupport
import Testing

/// `train-step --interim` and `augment --resume`: an epoch that resumes from its middle.
struct InterimTests {
    private static let step = "train-step --student begun --epochs 3 --schedule constant --learning-rate 0.05"
    private static let augment = "augment --data pictures/train --size 16 --batch 16 --drop-last --epoch 1 -q"

    /// A training run after its first epoch, the stream of the second, the result of it, and the stream cut off in its
    /// fourth batch.
    private func place(_ options: String = "") throws -> Workplace {
        let place = try Workplace.training()
        try place.perform("""
            train-step --student student taught --epochs 3 --schedule constant --learning-rate 0.05 \(options) -q -o begun
            \(Self.augment) | embed --weights teacher -q -o second; \(Self.step) \(options) second -q --log whole.jsonl --log-interval 4 -o whole
            head -c $(($(stat -c %s second) * 55 / 100)) second > cut
            """)
        return place
    }

    @Test func `what is killed goes on behind its last checkpoint, from a stream of the rest or of all, to the same bytes`() throws {
        let place = try place()
        let options = "--interim half.safetensors --checkpoint-every 1 --log log.jsonl --log-interval 4"
        for (number, stream) in ["\(Self.augment) --resume half.safetensors | embed --weights teacher -q |", "cat second |"].enumerated() {
            let cut = try place.run("\(Self.step) cut \(options) -q -o out")
            #expect(cut.status == 65 && cut.error.contains("is cut off") && !place.exists("out"), "\(cut.error)")
            #expect(try place.document("half.safetensors").metadata["interim_batch"] == "3" && place.document("half.before.safetensors").metadata["interim_batch"] == "2")
            // Only the previous checkpoint is left, as after a kill between the two renames.
            if number == 1 { try place.perform("rm half.safetensors") }
            let rest = try place.run("\(stream) \(Self.step) \(options) -o out && cmp out whole && rm out")
            #expect(rest.status == 0 && rest.error.contains("resumes after batch \(number == 1 ? 2 : 3) of the epoch"), "\(rest.error)")
            #expect(!place.exists("half.safetensors") && !place.exists("half.before.safetensors"))
            // Each batch is in the log once, whatever another epoch has left there.
            let steps = try place.text("log.jsonl").split(separator: "\n").compactMap { try JSON(parsing: Array($0.utf8))["images"]?.asInteger }
            #expect(steps.reduce(0, +) == 96)
        }
    }

    @Test func `SIGTERM saves what is done, and the same command goes on`() throws {
        let place = try place()
        // A stream that stops in the middle and stays open.
        let run = try place.start("(head -c $(($(stat -c %s second) * 55 / 100)) second; while [ ! -e enough ]; do sleep 0.01; done) | \(Self.step) --interim half.safetensors --log log.jsonl --log-interval 1 -o out")
        #expect(waitUntil { place.exists("log.jsonl") && (try? place.text("log.jsonl").split(separator: "\n").count == 3) == true })
        for process in run.waitForMembers(named: "train-step", seconds: 60) { kill(process, SIGTERM) }
        usleep(200_000)
        try Data().write(to: URL(filePath: place.path("enough")))
        let status = run.wait(), said = try place.text(".error")
        #expect(status == 75 && said.hasSuffix("train-step: half.safetensors: stopped on request after batch 3 of the epoch; the same command resumes from there\n"), "\(status): \(said)")
        #expect(try place.document("half.safetensors").metadata["interim_batch"] == "3" && !place.exists("out"))
        try place.perform("\(Self.step) --interim half.safetensors second -q -o out; cmp out whole")
    }

    // train-step reads the teacher's first rows before the first step; a stream that ends early has too few.
    @Test(arguments: ["cat", "true"])
    func `SIGTERM before the first batch saves nothing, and the same command does the epoch`(_ then: String) throws {
        let place = try Workplace.training()
        let step = "train-step --student student --epochs 3 --schedule constant --learning-rate 0.05"
        try place.perform("\(step) taught -q -o whole")
        let run = try place.start("(head -c 20000 taught; while [ ! -e enough ]; do sleep 0.01; done; \(then == "cat" ? "tail -c +20001 taught" : "true")) | \(step) --interim half -o out")
        let processes = run.waitForMembers(named: "train-step", seconds: 60)
        // All tools catch it at first, to leave nothing half-written; a moment later it counts as a request.
        #expect(waitUntil { processes.allSatisfy { Workplace.catches(SIGTERM, $0) } })
        sleep(1)
        for process in processes { kill(process, SIGTERM) }
        usleep(200_000)
        try Data().write(to: URL(filePath: place.path("enough")))
        let status = run.wait(), said = try place.text(".error")
        #expect(status == 75 && said.hasSuffix("train-step: half: stopped on request at the beginning of the epoch; the same command resumes from there\n"), "\(status): \(said)")
        #expect(!place.exists("half") && !place.exists("out"))
        try place.perform("\(step) --interim half taught -q -o out; cmp out whole")
    }

    @Test func `broken images of the whole epoch are counted, those before its interim checkpoint too`() throws {
        let place = try place()
        // One image may be broken; the second and the fifth batch have one each.
        var (header, records) = try place.read("second")
        header.metadata[StreamHeader.brokenLimit] = "1"
        for number in [1, 4] { records[number].metadata[TensorDocument.brokenKey] = "0" }
        for (name, count) in [("first", 3), ("broken", 6)] {
            let writer = try StreamWriter(place.path(name), header: header)
            for record in records.prefix(count) { try writer.write(record) }
            try writer.commit()
        }
        try place.perform("head -c $(($(stat -c %s first) * 9 / 10)) first > part")
        #expect(try place.run("\(Self.step) part --interim half --checkpoint-every 1 -q -o out").status == 65)
        #expect(try place.document("half").metadata["interim_broken"] == "1")
        for options in ["--interim half", ""] {
            let run = try place.run("\(Self.step) broken \(options) -q -o out")
            #expect(run.status == 65 && run.error.contains("record 4: 2 images of the epoch are broken, more than 1 % of them") && !place.exists("out"), "\(run.error)")
        }
    }

    @Test func `an epoch that goes on, on another kind of processor, says so`() throws {
        let place = try place()
        #expect(try place.run("\(Self.step) cut --interim half --checkpoint-every 1 -q -o out").status == 65)
        try place.change("half", into: "half") { document in
            #expect(document.metadata["interim_processor"]?.isEmpty == false)
            (document.metadata["interim_processor"], document.metadata["checksum"]) = ("VAX", nil)
        }
        let run = try place.run("\(Self.step) --interim half second -q -o out")
        #expect(run.status == 0 && run.error.contains("the epoch began on a processor that computes as VAX and resumes on one that computes as "), "\(run.error)")
    }

    @Test func `a loss program is asked for its queue, and one that tells it at the end alone has no interim checkpoints`() throws {
        let place = try place("--loss 'queue-loss -q'")
        let options = "--loss 'queue-loss -q' --interim half.safetensors --checkpoint-every 2"
        #expect(try place.run("\(Self.step) cut \(options) -q -o out").status == 65)
        try place.perform("\(Self.step) second \(options) -q -o out; cmp out whole; rm out")
        // Prepared answers.
        let writer = try StreamWriter(place.path("answers"), header: StreamHeader())
        for _ in 0..<6 {
            try writer.write(TensorDocument(tensors: ["loss": Tensor(f32: [Float](repeating: 1, count: 16), shape: [16]), "gradient": Tensor(f32: [Float](repeating: 0.01, count: 256), shape: [16, 16])]))
        }
        try writer.commit()
        try place.perform("train-step --student student taught --loss 'cat answers; exec >&-; cat > /dev/null' -q -o fixed")
        let silent = try place.run("train-step --student student taught --loss 'cat answers; exec >&-; cat > /dev/null' --interim half.safetensors --checkpoint-every 2 -o out && cmp fixed out")
        #expect(silent.status == 0 && !place.exists("half.safetensors"), "\(silent.error)")
        #expect(silent.lines.count { $0.contains("no interim checkpoints: the program of --loss reports its state only at its end") } == 1, "\(silent.error)")
    }

    @Test func `what belongs to another epoch, or is none, is told`() throws {
        let place = try place()
        #expect(try place.run("\(Self.step) cut --interim half.safetensors --checkpoint-every 2 -q -o out").status == 65)
        try place.perform("cp half.safetensors kept; \(Self.augment) --seed 3 | embed --weights teacher -q -o other")
        let other = "belongs to an epoch with other options, another stream or another first checkpoint than"
        try place.expectFailure("\(Self.step) second --learning-rate 0.1 --interim half.safetensors -q -o out", 65, "half.safetensors: \(other)")
        try place.expectFailure("\(Self.step) second --weight-decay 0.1 --interim half.safetensors -q -o out", 65, "half.safetensors: \(other)", "remove it; the epoch then starts again")
        try place.expectFailure("\(Self.step) other --interim half.safetensors -q -o out", 65, other)
        try place.expectFailure("train-step --student student second --epochs 3 --schedule constant --learning-rate 0.05 --interim half.safetensors -q -o out", 65, "\(other) student")
        try place.expectFailure("train-step --student kept second --epochs 3 -q -o out", 65, "kept: is an interim checkpoint, from the middle of an epoch; give it to --interim")
        try place.perform("cp begun half.safetensors")
        let remedy = "remove it; the epoch then resumes from half.before.safetensors, or starts again if that is missing"
        try place.expectFailure("\(Self.step) second --interim half.safetensors -q -o out", 65, "half.safetensors: is not an interim checkpoint; \(remedy)")
        try place.expectFailure("\(Self.augment) --resume half.safetensors -o views.zst", 65, "half.safetensors: is not an interim checkpoint; \(remedy)")
        try place.expectFailure("\(Self.augment) --batch 64 --resume kept -o views.zst", 65, "kept: has done 2 batches of an epoch that has 1 here")
        try place.perform("head -c 5000 kept > half.safetensors")
        try place.expectFailure("\(Self.step) second --interim half.safetensors -q -o out", 65, "half.safetensors: ", remedy)
        try place.expectFailure("\(Self.augment) --resume half.safetensors -o views.zst", 65, "half.safetensors: ", remedy)
        // The rest of a stream that begins after the checkpoint.
        try place.perform("cp kept half.safetensors; \(Self.augment) --resume half.safetensors | embed --weights teacher -q -o rest; rm -f half.safetensors half.before.safetensors")
        try place.expectFailure("\(Self.step) rest --interim half.safetensors -q -o out", 65, "the stream begins with batch 2 of its epoch where batch 0 is next")
        for (options, words) in [
            ("--checkpoint-every 5", "--checkpoint-every goes with --interim"), ("--interim half.safetensors --checkpoint-every 0", "checkpoint-every"), ("--interim half.safetensors --checkpoint-every 5h", "checkpoint-every"),
            ("--interim -", "--interim takes a file"), ("--interim out", "are the same file"), ("--interim half.safetensors --student /dev/null", "is not a regular file"),
        ] { try place.expectFailure("\(Self.step) second \(options) -q -o out", 64, words) }
        try place.perform("\(Self.augment) --epochs 2 | embed --weights teacher -q -o two")
        try place.expectFailure("\(Self.step) two --interim half.safetensors -q -o out", 64, "saves the middle of one epoch, and the stream has 2; give augment one epoch at a time")
        for options in ["--epochs 2", "--preview a.png", "--list"] {
            let result = try place.run("\(Self.augment.replacing(" -q", with: "").replacing(options.hasPrefix("--prev") ? " --drop-last" : "none", with: "")) --resume kept \(options)")
            #expect(result.status == 64 && result.error.contains("--resume resumes one epoch; leave out"), "\(options): \(result.error)")
        }
    }

    @Test func `what is left of an epoch may be broken images alone, and a log may be a pipe`() throws {
        let place = try place()
        #expect(try place.run("\(Self.step) cut --interim half.safetensors --checkpoint-every 3 -q -o out").status == 65)
        // The last batches have no records, because none of their images can be decoded.
        for (name, stream) in [("rest", "second"), ("views.rest", "views")] {
            var header = try place.read(stream).header
            header.metadata[StreamHeader.firstBatch] = "3"
            try StreamWriter(place.path(name), header: header).commit()
        }
        try place.perform("embed --weights teacher -q views.rest -o embedded; embed --command 'embed --weights teacher -q' -q views.rest -o embedded; embed --weights teacher -q --rows views -o rows; embed --stored rows -q views.rest -o embedded")
        try place.perform("cp half.safetensors kept; \(Self.step) rest --interim half.safetensors -q -o out; \(Self.step) rest --interim kept --log >(cat > seen) -q -o piped; cmp out piped")
        #expect(try place.document("out").metadata["epoch"] == "2" && place.document("out").metadata["interim_batch"] == nil)
        for stream in ["views", "second"] {
            try StreamWriter(place.path("none"), header: place.read(stream).header).commit()
            try place.expectFailure(stream == "views" ? "embed --weights teacher -q none -o out2" : "\(Self.step) none -q -o out2", 65, "has no records")
        }
    }

    @Test func `a damaged state of what was seen is refused before it is used`() throws {
        let place = try place()
        #expect(try place.run("\(Self.step) cut --interim half.safetensors --checkpoint-every 2 -q -o out").status == 65)
        let watch = "training.watch"
        for tensor in [Tensor(f32: [0, 0, 0, 0, 0, 0], shape: [1, 6]), Tensor(f64: [0, 0], shape: [1, 2]), Tensor(f64: [], shape: [0, 6])] {
            try place.change("half.safetensors", into: "bad.safetensors") { $0.tensors[watch] = tensor }
            try place.expectFailure("\(Self.step) second --interim bad.safetensors -q -o out", 65, "bad.safetensors: holds 'training.watch' of shape")
        }
        // Impossible numbers must not cause a trap.
        try place.change("half.safetensors", into: "odd.safetensors") { document in
            document.tensors[watch] = Tensor(f64: [1e300, .infinity, -.infinity, 5, -5, 1e300] + [-.infinity, .nan, 0, .nan, 9, -1] + [7, 7, 7, 7, 7, 7], shape: [3, 6])
        }
        let odd = try place.run("\(Self.step) second --interim odd.safetensors -q -o out")
        #expect(odd.status == 0, "\(odd.error)")
    }
}

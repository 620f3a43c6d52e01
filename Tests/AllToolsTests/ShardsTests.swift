import Foundation
import TensorStreams
import Testing
import TestSupport

/// Shards of an epoch, made side by side and merged.
struct ShardsTests {
    let place: Workplace
    private let augment = "augment --data s/train --size 16 --batch 8 -q", embed = "embed --weights w -q"

    init() throws {
        place = try Workplace()
        try place.perform("synthesize -o s --train 60 --test 16 --classes 2 --size 16 --shards 1 -q; initialize --network tiny-resnet10 -q -o w")
    }

    private func expectFailure(_ line: String, _ status: Int32, _ words: String...) throws {
        let run = try place.run(line)
        #expect(run.status == status && run.lines.count == 1, "\(line): \(run.error)")
        for word in words { #expect(run.error.contains(word), "\(line): \(run.error)") }
    }

    // 60 images are 8 batches. Of five shards some have one batch and some two; of eleven, three have none. --mix-up
    // draws for a whole batch.
    @Test(arguments: [2, 5, 8, 11], ["--recipe evaluation", "--epoch 3 --drop-last", "--mix-up --paths"])
    func `shards put together are the stream of one process, to the last byte`(_ count: Int, _ options: String) throws {
        try place.perform("""
            \(augment) \(options) | \(embed) -o whole
            for i in $(seq \(count) -1 1); do \(augment) \(options) --shard $i/\(count) | \(embed) -o part.$i; done
            merge-shards part.* -q -o merged; cmp whole merged
            merge-shards $(ls -r part.*) -q --level 3 | cmp - whole
            """)
    }

    // A program's output format is known from its first record, so shards without records lack it.
    @Test func `parts without images are no others, whoever embeds`() throws {
        try place.perform("""
            \(augment) --recipe evaluation | embed --command '\(embed)' -q -o whole
            for i in $(seq 11); do \(augment) --recipe evaluation --shard $i/11 | embed --command '\(embed)' -q -o part.$i; done
            merge-shards part.* -q -o merged; cmp whole merged
            """)
    }

    // A broken image leaves nothing, nor does a batch whose images are all broken.
    @Test func `what is broken is missing in both`() throws {
        try place.perform("""
            mkdir f; tar -C f -xf s/train/*.tar; find f -name '*.jpg' | sort > names
            for name in $(sed -n '3p;9,16p' names); do echo broken > $name; done
            a='augment --data f --size 16 --batch 8 --recipe evaluation --allow-bad -q'
            $a | \(embed) -o whole; for i in 1 2 3; do $a --shard $i/3 | \(embed) -o part.$i; done
            merge-shards part.* -q -o merged; cmp whole merged
            """)
        #expect(try place.read("merged").records.count == 7)
    }

    @Test func `a task of an array knows its part`() throws {
        func part(_ variables: String) throws -> String? {
            try place.perform("env \(variables) \(augment) --shard auto -o part")
            return try place.read("part").0.metadata["shard"]
        }
        #expect(try part("SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_MAX=8 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_STEP=1") == "3/4")
        #expect(try part("SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=6 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_STEP=2") == "3/4")
        #expect(try part("SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_COUNT=1") == nil)
        #expect(try part("OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3") == "2/3")
        try expectFailure("env SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=5 SLURM_ARRAY_TASK_COUNT=2 \(augment) --shard auto -o part", 64, "only some of the tasks 1 to 5", "--shard $SLURM_ARRAY_TASK_ID/5")
        try expectFailure("\(augment) --shard auto -o part", 64, "none of them has started this", "--shard 1/2")
    }

    @Test func `what are not the parts of one stream is said`() throws {
        try place.perform("""
            for i in 1 2 3; do \(augment) --shard $i/3 -o $i; done
            \(augment) -o whole; \(augment) --shard 2/4 -o of4; \(augment) --seed 1 --shard 3/3 -o seed; cp 2 again; cp 3 cut; truncate -s -40 cut
            synthesize -o t --train 60 --test 16 --classes 3 --size 16 --shards 1 -q; \(augment.replacing("s/train", with: "t/train")) --shard 3/3 -o other
            \(augment) --epochs 2 --shard 1/2 -o e1; \(augment) --epochs 2 --shard 2/2 -o e2
            """)
        try expectFailure("merge-shards 1 2 -o m", 65, "shard 3/3 is missing from the 2 given")
        try expectFailure("merge-shards 3 -o m", 65, "shard 1/3 and 1 more are missing from the 1 given")
        try expectFailure("merge-shards 1 2 again 3 -o m", 65, "again: is shard 2/3, and so is 2")
        try expectFailure("merge-shards 1 of4 -o m", 65, "of4: is shard 2/4, but others are of 3")
        try expectFailure("merge-shards 1 2 whole -o m", 65, "whole: is not a shard")
        try expectFailure("merge-shards 1 2 seed -o m", 65, "seed: is not part of the same stream as 1: they were made by different commands")
        try expectFailure("merge-shards 1 2 other -o m", 65, "other: is not part of the same stream as 1: 'classes' is")
        try expectFailure("merge-shards e1 e2 -o m", 65, "parts of several epochs")
        try expectFailure("merge-shards 1 2 cut -o m", 65, "cut: ")
        try expectFailure("merge-shards 1 2 3 -o 2", 64, "-o would replace a part, '2'")
        try expectFailure("merge-shards -o m", 64, "part")
        #expect(!place.exists("m"))
        // Training takes only a whole epoch.
        try expectFailure("\(embed) 1 | train-step --student w -q -o s2", 65, "only a part of an epoch", "merge-shards")
    }
}

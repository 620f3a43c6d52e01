import Foundation
import TestSupport
import Testing

/// plan by itself, as make starts it.
struct PlanTests {
    private static let small = "SIZE=16 EMBEDDING=16 BATCH=16 QUEUE=32 STUDENT=tiny-resnet10 TEACHER_NETWORK=tiny-resnet10 TEACHER_BATCH=16"

    /// The command that looks at settings whose values hold no blanks.
    private func check(_ settings: String, plan: String = "plan") -> String {
        #"MAKEFLAGS=" -- RUNS=$PWD/runs NAME=a \#(Self.small) \#(settings)" \#(plan) check --pipelines '\#(Workplace.root)/pipelines'"#
    }

    @Test func `as many epochs as a setting takes are planned`() throws {
        let place = try Workplace()
        for (epochs, teacherEpochs) in [(100_000, 1), (20_000, 20_000)] {
            let result = try place.run(check("KEEP=2 EPOCHS=\(epochs) TEACHER_EPOCHS=\(teacherEpochs)"))
            #expect(result.status == 0 && place.toDo(result)?.contains("student.1 … student.\(epochs), student") == true, "\(result.status) \(result.error)")
        }
    }

    @Test func `a tool that ends in any other way than by refusing its options is told in words`() throws {
        let place = try Workplace()
        let tools = "cp '\(Workplace.tools.path)/plan' bin; for t in augment initialize synthesize; do ln -sf '\(Workplace.tools.path)'/$t bin; done"
        for (end, words) in [("exit 3", "ended with exit status 3"), ("kill -9 $$", "was ended by signal 9")] {
            try place.write("#!/bin/sh\n\(end)\n", to: "bin/train-step")
            let result = try place.run("\(tools); chmod +x bin/train-step; \(check("EPOCHS=1", plan: "bin/plan"))")
            #expect(result.status == 64 && result.lines == ["plan: STUDENT_OPTIONS: train-step \(words)"], "\(result.error)")
        }
    }

    /// The teacher's file is one of random weights where the fetched one would lie: nothing is fetched.
    @Test func `without a teacher it is the usual one, and none or a teacher's setting trains one`() throws {
        let place = try Workplace.images()
        let teacher = try place.run("mkdir -p .build/teachers; initialize -q --network efficientnet-lite0 --embedding 0 -o .build/teachers/efficientnet-lite0.safetensors")
        try #require(teacher.status == 0, "\(teacher.error)")
        func plan(_ settings: String) throws -> Workplace.Result {
            let given = "RUNS=$PWD/runs NAME=a SIZE=32 BATCH=16 QUEUE=32 STUDENT=tiny-resnet10 DATA=$PWD/pictures/train TEST=$PWD/pictures/test EPOCHS=1"
            return try place.run(#"MAKEFLAGS=" -- \#(given) \#(settings)" plan check --pipelines '\#(Workplace.root)/pipelines'"#)
        }
        let usual = try plan("")
        #expect(usual.status == 0 && usual.error.contains("the teacher is efficientnet-lite0") && usual.error.contains("efficientnet-lite0, embeddings of 1280 numbers"), "\(usual.error)")
        for settings in ["TEACHER=none TEACHER_EPOCHS=2 TEACHER_BATCH=16", "TEACHER_OBJECTIVE=moco-v2 TEACHER_BATCH=16 KEEP=2", "TEACHER_NETWORK=tiny-resnet10 TEACHER_BATCH=16"] {
            let trained = try plan(settings)
            #expect(trained.status == 0 && trained.error.contains("trained by moco-v2") && !trained.error.contains("the teacher is efficientnet"), "\(trained.error)")
        }
        let both = try plan("TEACHER=efficientnet-lite0 TEACHER_EPOCHS=3")
        #expect(both.status == 0 && both.error.contains("TEACHER_EPOCHS is of no use, since the teacher is efficientnet-lite0; TEACHER=none trains one"), "\(both.error)")
        let wide = try plan("EMBEDDING=128")
        #expect(wide.status == 64 && wide.error.contains("or TEACHER=none trains one"), "\(wide.error)")
        let program = try plan("TEACHER=none TEACHER_COMMAND=cat")
        #expect(program.status == 64 && program.error.contains("TEACHER=none trains a teacher"), "\(program.error)")
    }

    @Test func `who starts the tools with SIGCHLD ignored is told of failures all the same`() throws {
        let place = try Workplace.images()
        let refused = try place.run("trap '' CHLD; \(check("STUDENT_OPTIONS=--learning-rat"))")
        #expect(refused.status == 64 && refused.lines.count == 1 && refused.error.contains("_OPTIONS: "), "\(refused.error)")
        let trained = try place.run("""
            initialize --network tiny-resnet10 --embedding 16 -q -o student.safetensors
            augment --data pictures/train --size 16 --batch 16 --drop-last -q | embed --weights student.safetensors -q | {
                trap '' CHLD; train-step --student student.safetensors --loss 'queue-loss -q --queue-size 32; exit 3' -q -o trained.safetensors
            }
            """)
        #expect(trained.status == 65 && trained.error.contains("gave all answers, but ended ") && !place.exists("trained.safetensors"), "\(trained.error)")
    }
}

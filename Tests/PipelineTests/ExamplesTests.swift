import Foundation
import TensorStreams
import TestSupport
import Testing

/// The programs in `examples`, run as their first lines say, and the commands in the documents.
struct ExamplesTests {
    private static let examples = Workplace.root + "/examples"
    private static let hasStreams = Workplace.runs("python3 -c 'import numpy, safetensors, zstandard'")
    /// A Python with PyTorch: `python3`, or what SEED_PYTHON names.
    private static let python = ProcessInfo.processInfo.environment["SEED_PYTHON"] ?? "python3"
    private static let hasTorch = Effort.isLong && Workplace.runs("'\(python)' -c 'import torchvision, safetensors, zstandard'")

    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.run("synthesize --classes 4 --train 96 --test 8 --size 32 -q -o pictures; initialize --network tiny-resnet10 --seed 3 --embedding 16 -q -o teacher.safetensors")
        return place
    }

    /// All lines that a document has indented for a shell, in order.
    private func commands(_ document: String) throws -> String {
        try String(contentsOfFile: Workplace.root + "/" + document, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
            .filter { $0.hasPrefix("    ") && !$0.hasPrefix("    make ") }.joined(separator: "\n")
    }

    @Test func `the commands of docs-tools follow each other in an empty folder`() throws {
        let place = try Workplace()
        let result = try place.run("set -e\n" + commands("docs/tools.md"))
        #expect(result.status == 0 && result.output.contains("linear top-1") && place.exists("b.safetensors") && place.exists("views.jpg"), "\(result.output)\(result.error)")
    }

    @Test func `a distillation in plain shell ends in a student and its accuracy`() throws {
        let place = try place()
        let result = try place.run("EMBEDDING=16 BATCH=32 '\(Self.examples)/distil.sh' pictures/train teacher.safetensors 2")
        #expect(result.status == 0 && result.output.contains("(k=10, cosine, majority, 48 train, 48 test, features 128-d)"), "\(result.error)")
        #expect(try place.contents().filter { $0.hasPrefix("student") && $0.hasSuffix(".safetensors") } == (0...2).map { "student.\($0).safetensors" })
    }

    @Test func `two students learn from one pass of the teacher what each would learn from one of its own`() throws {
        let place = try place()
        let result = try place.run("EMBEDDING=16 BATCH=32 '\(Self.examples)/two-students.sh' pictures/train teacher.safetensors")
        try #require(result.status == 0, "\(result.error)")
        try place.run("""
            augment --data pictures/train --size 32 --batch 32 --drop-last -q | embed --weights teacher.safetensors -q -o stored
            for s in a b; do train-step --student $s.0.safetensors --queue-size 512 --teacher-temperature auto stored -q -o $s.own.safetensors; done
            """)
        for student in ["a", "b"] { #expect(try place.bytes("\(student).1.safetensors") == place.bytes("\(student).own.safetensors")) }
    }

    /// Equal but for the random rows that a new queue begins with, so on a queue that both are given.
    @Test(.enabled(if: hasStreams, "python3 has no numpy, safetensors or zstandard")) func `the loss in Python is queue-loss's, and keeps its queue`() throws {
        let place = try place()
        let result = try place.run("""
            initialize --network tiny-resnet10 --embedding 16 -q -o student
            augment --data pictures/train --size 32 --batch 32 -q | embed --weights teacher.safetensors -q -o stored
            train-step --student student --loss "python3 '\(Self.examples)/loss.py'" --log first stored -q -o one && train-step --student one --loss "python3 '\(Self.examples)/loss.py'" --log a --log-interval 1 stored -q -o two
            python3 - <<'E'
            import safetensors.numpy as s
            t = s.load_file('one'); queue = t['training.loss.queue']; import numpy
            t['training.loss.queue.position'] = numpy.array([0], 'i8'); t['training.loss.queue.filled'] = numpy.array([1024], 'i8'); s.save_file(t, 'same', {'network': 'tiny-resnet10'})
            E
            train-step --student same --centre none --teacher-temperature 0.07 --log b --log-interval 1 stored -q -o three
            """)
        try #require(result.status == 0, "\(result.error)")
        func losses(_ log: String) throws -> [Double] { try place.text(log).split(separator: "\n").compactMap { try JSON(parsing: String($0))["loss"]?.asNumber } }
        let (python, own) = (try losses("a"), try losses("b"))
        // Both keep the oldest row first, and put the new ones in the place of the oldest.
        #expect(python.count == 3 && own.count == 3 && zip(python, own).allSatisfy { abs($0 - $1) < 1e-4 }, "\(python) \(own)")
    }

    @Test(.enabled(if: hasTorch, "one of the long tests, for a Python with torchvision, safetensors and zstandard; SEED_PYTHON may name one")) func `a teacher in PyTorch stands where embed stands`() throws {
        let place = try place()
        let result = try place.run("""
            set -e; export TMPDIR=$PWD
            '\(Self.python)' -c "import torch, torchvision; torch.manual_seed(0); torch.save(torchvision.models.resnet18().state_dict(), 'weights')"
            augment --data pictures/train --size 32 --batch 32 -q | '\(Self.python)' '\(Self.examples)/teacher.py' resnet18 weights > taught
            inspect --verify taught; initialize --network tiny-resnet10 --embedding 512 -q -o student; train-step --student student taught -q -o one
            """)
        try #require(result.status == 0 && place.exists("one"), "\(result.error)")
        let records = try place.read("taught").records
        #expect(records.count == 3)
        for record in records {
            let rows = try record.tensor("teacher", .f32, shape: [32, 512]).floats()
            for n in 0..<32 {
                let row = Array(rows[n * 512..<(n + 1) * 512]), length = dot(row, row).squareRoot()
                #expect(abs(length - 1) < 1e-4)
            }
        }
    }
}

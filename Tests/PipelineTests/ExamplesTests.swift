import Foundation
import TensorStreams
import TestSupport
import Testing

/// The programs in `examples`, run as their first lines say, and the commands in the documents.
struct ExamplesTests {
    private static let examples = Workplace.root + "/examples"
    private static let hasStreams = Workplace.runs("python3 -c 'import numpy, safetensors, zstandard'")
    /// A Python with PyTorch: `python3`, or the one that SEED_PYTHON names.
    private static let python = ProcessInfo.processInfo.environment["SEED_PYTHON"] ?? "python3"
    private static let hasTorch = Effort.isLong && Workplace.runs("'\(python)' -c 'import torchvision, safetensors, zstandard'")

    private static let hasTimm = hasTorch && Workplace.runs("'\(python)' -c 'import timm'")
    private static let hasRuntime = Effort.isLong && Workplace.runs("'\(python)' -c 'import onnxruntime, safetensors, zstandard'")

    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.run("synthesize --classes 4 --train 96 --test 8 --size 32 -q -o pictures; initialize --network tiny-resnet10 --seed 3 --embedding 16 -q -o teacher.safetensors")
        return place
    }

    /// All indented shell lines of a document, in order.
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

    /// They differ only in the random rows of a new queue, so both are given the same queue.
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
        // Both keep the oldest row first and replace the oldest rows by the new ones.
        #expect(python.count == 3 && own.count == 3 && zip(python, own).allSatisfy { abs($0 - $1) < 1e-4 }, "\(python) \(own)")
    }

    @Test(.enabled(if: hasTorch, "one of the long tests, for a Python with torchvision, safetensors and zstandard; SEED_PYTHON may name one")) func `a teacher in PyTorch stands where embed stands`() throws {
        let place = try place()
        let result = try place.run("""
            set -e; export TMPDIR=$PWD
            '\(Self.python)' -c "import torch, torchvision; torch.manual_seed(0); torch.save(torchvision.models.resnet18().state_dict(), 'weights')"
            augment --data pictures/train --size 32 --batch 32 -q | '\(Self.python)' '\(Self.examples)/teacher.py' --model torchvision:resnet18 --weights weights > taught
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

    /// From a torch hub folder and from a function that needs only PyTorch: both return the same module.
    @Test(.enabled(if: hasTorch, "one of the long tests, for a Python with torchvision, safetensors and zstandard; SEED_PYTHON may name one")) func `a teacher of torch hub or of a function is the module itself`() throws {
        let place = try place()
        try place.write("""
            import torch
            dependencies = ["torch"]
            def mean(scale=1):
                class Mean(torch.nn.Module):
                    def forward(self, x): return scale * x.mean((2, 3))
                return Mean()
            """, to: "hubconf.py")
        let result = try place.run("""
            set -e; export TORCH_HOME=$PWD
            augment --data pictures/train --size 32 --batch 32 -q -o views
            embed --command "'\(Self.python)' '\(Self.examples)/teacher.py' --model hub:$PWD:mean" views -q -o hub
            embed --command "'\(Self.python)' '\(Self.examples)/teacher.py' --model hubconf:mean --set scale=3" views -q -o function
            """)
        try #require(result.status == 0, "\(result.error)")
        let (hub, function) = (try place.read("hub").records, try place.read("function").records)
        for (one, other) in zip(hub, function) {
            let (a, b) = (try one.tensor("teacher", .f32, shape: [32, 3]).floats(), try other.tensor("teacher", .f32, shape: [32, 3]).floats())
            let bytes = try one.tensor("images", .u8, shape: [32, 1, 32, 32, 3]).integers()
            let (mean, deviation) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
            for n in 0..<32 {
                let row = (0..<3).map { channel in
                    (stride(from: n * 3072 + channel, to: (n + 1) * 3072, by: 3).reduce(0.0) { $0 + Double(bytes[$1]) } / 1024 / 255 - mean[channel]) / deviation[channel]
                }
                let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
                for channel in 0..<3 { #expect(abs(Double(a[3 * n + channel]) - row[channel] / length) < 1e-4 && abs(a[3 * n + channel] - b[3 * n + channel]) < 1e-5) }
            }
        }
        #expect(hub.count == 3 && function.count == 3)
        let wrong = try place.run("embed --command \"'\(Self.python)' '\(Self.examples)/teacher.py' --model hubconf:nothing\" views -q -o wrong")
        #expect(wrong.status == 65 && wrong.lines.count == 2 && wrong.error.contains("teacher.py: module 'hubconf' has no attribute 'nothing'"), "\(wrong.error)")
    }

    /// A missing package is simulated by one that fails to import, whatever is installed.
    @Test func `a teacher that lacks a package says in one line what to install`() throws {
        let place = try Workplace()
        for (program, package) in [("teacher", "torch"), ("teacher_onnx", "onnxruntime")] {
            for name in ["numpy", package] { try place.write("raise ModuleNotFoundError(\"No module named '\(name)'\")\n", to: "missing/\(name).py") }
            let result = try place.run("PYTHONPATH=missing python3 '\(Self.examples)/\(program).py' --model x < /dev/null")
            #expect(result.status == 1 && result.lines.count == 1 && result.error.hasPrefix("\(program).py: No module named 'numpy'; pip install \(package)"), "\(result.error)")
        }
    }

    @Test(.enabled(if: hasTorch, "one of the long tests, for a Python with torchvision, safetensors and zstandard; SEED_PYTHON may name one")) func `a teacher in PyTorch takes rows, tokens and maps, and says of anything else what it is`() throws {
        let place = try place()
        try place.write("""
            import torch
            class Model(torch.nn.Module):
                def __init__(self, kind): super().__init__(); self.kind = kind; print("not of the stream")
                def forward(self, x):
                    rows = x.mean((2, 3))
                    return {"rows": rows, "tokens": torch.stack([rows, -rows], 1), "map": x, "tuple": (rows,), "dictionary": {"a": rows}, "numbers": rows[:, 0]}[self.kind]
            def model(kind="rows"): return Model(kind)
            """, to: "own.py")
        func run(_ arguments: String) throws -> Workplace.Result {
            try place.run("[ -e views ] || augment --data pictures/train --size 32 --batch 32 -q -o views; embed --command \"'\(Self.python)' '\(Self.examples)/teacher.py' \(arguments)\" views -q -o out")
        }
        for kind in ["rows", "tokens", "map"] {
            let result = try run("--model own:model --set kind=\(kind)")
            try #require(result.status == 0, "\(kind): \(result.error)")
            #expect(try place.read("out").records.count == 3)
        }
        for (arguments, words) in [
            ("--model own:model --set kind=tuple", "the model gives a tuple; rows (N, D), tokens"), ("--model own:model --set kind=dictionary", "the model gives a dict of a; rows"),
            ("--model own:model --set kind=numbers", "the model gives a tensor of shape (32,); rows"), ("--model resnet18", "--model resnet18: timm:NAME, torchvision:NAME, hub:FOLDER:NAME or MODULE:FUNCTION is expected"),
            ("--model hub:x", "--model hub:x: timm:NAME"), ("--model own:model --set kind", "argument --set: NAME=VALUE is expected, found kind"), ("", "the following arguments are required: --model"),
            ("--model own:model --weights nothere", "No such file or directory: 'nothere'"),
        ] {
            let result = try run(arguments)
            #expect(result.status == 65 && result.error.contains("teacher.py: ") && result.error.contains(words) && result.lines.count(where: { !$0.hasPrefix("embed: ") && $0 != "not of the stream" }) == 1, "\(arguments): \(result.error)")
        }
    }

    @Test(.enabled(if: hasTimm, "one of the long tests, for a Python with timm, safetensors and zstandard; SEED_PYTHON may name one")) func `a model of timm is the teacher of a run`() throws {
        let place = try place()
        let command = "'\(Self.python)' examples/teacher.py --model timm:resnet18 --weights none"
        let result = try place.run("TORCH_HOME=$PWD " + place.make("a", "DATA=$PWD/pictures/train TEST=$PWD/pictures/test \"TEACHER_COMMAND=\(command)\"").replacing("EMBEDDING=16 ", with: ""))
        #expect(result.status == 0 && result.output.contains("features 512-d"), "\(result.error)")
    }

    @Test(.enabled(if: hasRuntime, "one of the long tests, for a Python with onnxruntime, safetensors and zstandard; SEED_PYTHON may name one")) func `a teacher in onnxruntime gives what the network gives`() throws {
        let place = try place()
        let result = try place.run("""
            set -e; augment --data pictures/train --size 32 --batch 32 -q -o views; embed --weights teacher.safetensors views -q -o expected
            convert-weights teacher.safetensors -q -o plain.onnx; convert-weights teacher.safetensors --bytes -q -o bytes.onnx
            for kind in plain bytes; do embed --command "'\(Self.python)' '\(Self.examples)/teacher_onnx.py' $kind.onnx" views -q -o $kind; done
            """)
        try #require(result.status == 0, "\(result.error)")
        let expected = try place.read("expected").records
        for kind in ["plain", "bytes"] {
            let found = try place.read(kind).records
            #expect(found.count == expected.count)
            for (own, other) in zip(found, expected) {
                let (a, b) = (try own.tensor("teacher", .f32, shape: [32, 16]).floats(), try other.tensor("teacher", .f32, shape: [32, 16]).floats())
                #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 }, "\(kind)")
            }
        }
        let wrong = try place.run("embed --command \"'\(Self.python)' '\(Self.examples)/teacher_onnx.py' views\" views -q -o wrong")
        #expect(wrong.status == 65 && wrong.lines.count == 2 && wrong.error.contains("teacher_onnx.py: "), "\(wrong.error)")
    }
}

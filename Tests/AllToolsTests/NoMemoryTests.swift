import Foundation
import TensorStreams
import Testing
import TestSupport

/// Tools with too little memory, and files that request more memory than they justify.
@Suite(.serialized) struct NoMemoryTests {
    let place: Workplace

    init() throws {
        place = try Workplace()
        let made = try place.run("""
            synthesize -o s --train 64 --test 16 --classes 4 --size 32 --shards 1 -q; augment --data s/train --size 32 --batch 16 -q -o v; initialize --network tiny-resnet10 -q -o w
            embed --weights w v -q -o e; embed --weights w e --as student -q -o pairs; embed --weights w --features --drop images v -q -o f
            """)
        try #require(made.status == 0)
    }

    static let lines = [
        "embed --weights w v -o o", "embed --weights w v --threads 16 -o o", "train-step --student w e --queue-size 32 -o o", "queue-loss --queue-size 32 pairs -o o", "evaluate linear --train f --test f",
        "evaluate linear --train f --test f --solver sgd --epochs 2", "evaluate knn --train f --test f", "inspect v", "inspect w", "convert-weights w -o o", "initialize --network resnet18 -o o",
        "augment --data s/train --size 224 --batch 64 -o o", "synthesize -o x --train 64 --test 16", "train-step --student w e --loss 'queue-loss -q --queue-size 32' -o o",
    ]

    /// Limits in KiB of address space; below them the system cannot load the tools' libraries.
    @Test(arguments: lines) func `with little address space a tool works or says so in a line and ends with 74, whatever the limit`(line: String) throws {
        var random = Effort.random("address space of \(line)", round: 0)
        // The long tests try one limit in every thousand where most tools fail, and one in every twenty thousand above.
        let limits = Effort.isLong
            ? (100..<220).map { $0 * 1000 + Int.random(in: 0..<1000, using: &random) } + (11..<100).map { $0 * 20_000 + Int.random(in: 0..<20_000, using: &random) }
            : [110_000, 150_000, 200_000, 300_000, 500_000, 2_000_000]
        for limit in limits {
            let result = try place.run("(ulimit -c 0; ulimit -v \(limit); timeout 300 \(line) > /dev/null); status=$?; rm -rf o x; exit $status")
            // Swift's runtime may report, before the tool starts, that it has no memory for its crash handler. A
            // training run may have got far enough to make a remark.
            let lines = result.lines.filter { !$0.contains(" λ ") && !$0.hasPrefix("swift runtime:") && !$0.hasPrefix("train-step: tiny-resnet10:") }
            if limit != limits.last, ["error while loading shared libraries", "cannot allocate TLS data"].contains(where: result.error.contains) { continue }
            // A loss program has a line of its own. If it ends for lack of memory, train-step reports that, although
            // train-step itself has not run out of memory.
            #expect(([0, 74].contains(result.status) || line.contains("--loss") && result.status == 65) && (result.status == 0 || lines.count <= (line.contains("--loss") ? 2 : 1)), "\(line) with \(limit): \(result.status) \(result.error)")
            #expect(!place.hasUnfinished, "\(line) with \(limit)")
            if limit == limits.last { #expect(result.status == 0, "\(line) with \(limit): \(result.status) \(result.error)") }
        }
        Effort.report("\(limits.count) limits of address space for \(line)")
    }

    @Test func `threads that cannot be started are done without, or told in a line`() throws {
        // Stacks so large that some threads have room and others do not.
        for stack in [8_000, 100_000, 400_000] {
            for line in ["embed --weights w v --threads 8 -o o", "augment --data s/train --size 32 --threads 8 -o o"] {
                let result = try place.run("ulimit -c 0; ulimit -s \(stack); ulimit -v 700000; timeout 300 \(line) -q")
                #expect([0, 74].contains(result.status) && result.lines.count == (result.status == 0 ? 0 : 1), "\(line): \(result.status) \(result.error)")
                #expect(!place.hasUnfinished)
            }
        }
    }

    /// A safetensors document in one zstd frame whose tensors are zeros: four bytes of the file for 128 KiB of them.
    private func zeros(_ header: String, _ count: Int) -> Data {
        func bytes(_ value: UInt64, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) } }
        let text = bytes(UInt64(header.utf8.count), 8) + header.utf8
        var file: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0xC0, 7 << 3] + bytes(UInt64(text.count + count), 8)
        var rest = text[...]
        while !rest.isEmpty {
            let block = rest.prefix(1 << 17)
            rest = rest.dropFirst(block.count)
            file += bytes(UInt64(block.count << 3 | (count == 0 && rest.isEmpty ? 1 : 0)), 3) + block
        }
        var left = count
        while left > 0 {
            let block = min(left, 1 << 17)
            left -= block
            file += bytes(UInt64(block << 3 | 2 | (left == 0 ? 1 : 0)), 3) + [0]
        }
        return Data(file)
    }

    /// Runs a line and returns its peak memory in MB. It starts from a small process, because the system counts a
    /// process's memory from before it executes another program.
    private func measured(_ line: String) throws -> (status: CInt, error: String, peak: Int) {
        let program = "import resource, subprocess, sys; s = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode; " +
            "print(s, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
        let result = try place.run("python3 -c '\(program)' \(line)")
        let numbers = result.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        try #require(numbers.count == 2, "\(result.error)")
        return (CInt(numbers[0]), result.error, numbers[1])
    }

    static let readers = [
        "embed --weights h v -o o", "train-step --student h e -o o", "convert-weights h -o o", "queue-loss --queue h e -o o", "inspect h", "inspect --verify h", "inspect --json h", "evaluate knn --train h --test h",
        "embed --weights w h -o o", "train-step --student w h -o o",
    ]

    @Test(arguments: readers) func `a small file that unpacks to a gigabyte takes no memory`(reader: String) throws {
        let size = 1 << 30
        for (name, header) in [
            ("one tensor", #"{"x":{"dtype":"U8","shape":[\#(size)],"data_offsets":[0,\#(size)]}}"#),
            ("a state of training", #"{"training.x":{"dtype":"F32","shape":[\#(size / 4)],"data_offsets":[0,\#(size)]}}"#),
            ("a tensor of a network", #"{"conv1.weight":{"dtype":"F32","shape":[\#(size / 108),3,3,3],"data_offsets":[0,\#(size / 108 * 108)]},"x":{"dtype":"U8","shape":[\#(size - size / 108 * 108)],"data_offsets":[\#(size / 108 * 108),\#(size)]}}"#),
        ] {
            try place.write(zeros(header, size), to: "h")
            let (status, error, peak) = try measured(reader)
            #expect(status == (reader.hasPrefix("inspect") ? 0 : 65), "\(reader), \(name): \(status) \(error)")
            #expect(peak < 300, "\(reader), \(name): \(peak) MB")
        }
    }

    @Test(arguments: ["embed --weights h v -o o", "convert-weights h -o o"])
    func `a checkpoint of another program that claims or unpacks to gigabytes takes no memory`(reader: String) throws {
        func text(_ text: String) -> [UInt8] { [0x58] + littleEndian(UInt32(text.utf8.count)) + text.utf8 }
        func number(_ number: Int) -> [UInt8] { [0x8A, 8] + littleEndian(Int64(number)) }
        /// `conv1.weight` of `count` times 27 numbers, in protocol 2.
        func pickle(_ count: Int) -> [UInt8] {
            let storage = [0x28] as [UInt8] + text("storage") + "ctorch\nFloatStorage\n".utf8 + text("0") + text("cpu") + number(27 * count) + [0x74, 0x51]
            let view = [0x28] as [UInt8] + storage + number(0) + [0x28] + [count, 3, 3, 3].flatMap(number) + [0x74, 0x28] + [27, 9, 3, 1].flatMap(number) + [0x74, 0x89, 0x4E, 0x74]
            return [0x80, 2, 0x7D] + text("conv1.weight") + "ctorch._utils\n_rebuild_tensor_v2\n".utf8 + view + [0x52, 0x73, 0x2E]
        }
        let magic: [UInt8] = [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E, 0x80, 2, 0x4D, 0xE9, 3, 0x2E, 0x80, 2, 0x7D, 0x2E]
        let keys = [0x80, 2, 0x5D] as [UInt8] + text("0") + [0x61, 0x2E], gigabyte = 1 << 30, rows = gigabyte / 108
        for (name, file) in [
            ("a pickle that unpacks to a gigabyte", ZipMember.archive([.deflated("a/data.pkl", [0x80, 2], zeros: gigabyte)])),
            ("a storage that unpacks to a gigabyte", ZipMember.archive([ZipMember("a/data.pkl", pickle(rows)), .deflated("a/data/0", [], zeros: 108 * rows)])),
            ("a storage that claims a petabyte", ZipMember.archive([ZipMember("a/data.pkl", pickle(1 << 42)), ZipMember("a/data/0", [0])])),
            ("an older storage that claims an exabyte", magic + pickle(1 << 42) + keys + littleEndian(Int64(1) << 57) + [0]),
            ("an array that unpacks to a gigabyte", ZipMember.archive([.deflated("conv1.weight.npy", numpyHeader(shape: "\(rows), 3, 3, 3"), zeros: 108 * rows)])),
            ("an array that claims an exabyte", ZipMember.archive([ZipMember("conv1.weight.npy", numpyHeader(shape: "\(1 << 52), 3, 3, 3"))])),
            ("lists of nothing", magic + [0x80, 2] + [UInt8](repeating: 0x5D, count: 3_000_000)),
        ] {
            try place.write(Data(file), to: "h")
            let (status, error, peak) = try measured(reader)
            #expect(status == 65 && error.split(separator: "\n").count == 1 && error.utf8.count < 600, "\(reader), \(name): \(status) \(error)")
            Effort.report("\(reader), \(name), \(file.count) bytes: \(peak) MB")
            #expect(peak < (name == "lists of nothing" ? 600 : 100) + file.count >> 20, "\(reader), \(name): \(peak) MB")
        }
    }

    @Test(arguments: ["evaluate knn --train b --test b", "evaluate linear --train b --test b", "queue-loss b -o o", "embed --weights w b -o o", "train-step --student w b -o o"])
    func `a record that unpacks to gigabytes is refused before it takes them`(reader: String) throws {
        let count = 100_000_000
        let writer = try StreamWriter(place.path("b"), header: StreamHeader(), level: 1)
        try writer.write(TensorDocument(tensors: ["x": Tensor(f32: [Float](repeating: 0, count: count), shape: [count, 1]), "label": Tensor(i32: [0], shape: [1])]))
        try writer.commit()
        let (status, error, peak) = try measured(reader)
        #expect(status == 65 && error.contains("unpacks to more than 1000 times its size (and 128 MiB), which no real data does"), "\(reader): \(status) \(error)")
        #expect(peak < 300, "\(reader): \(peak) MB")
    }

    @Test(arguments: readers) func `a header that is all numbers, names or metadata takes little memory and time`(reader: String) throws {
        let count = 5_000_000
        for (name, header) in [
            ("numbers", #"{"a":{"dtype":"U8","shape":["# + String(repeating: "1,", count: count) + #"1],"data_offsets":[0,1]}}"#),
            ("metadata", #"{"__metadata__":{"# + (0..<count / 5).map { #""\#($0)":"""# }.joined(separator: ",") + "}}"),
            ("tensors", "{" + (0..<count / 20).map { #""\#($0)":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}"# }.joined(separator: ",") + "}"),
            ("depth", #"{"a":"# + String(repeating: "[", count: count) + "}"),
            ("one name", #"{""# + String(repeating: "x", count: 2 * count) + #"":{"dtype":"U8","shape":[2],"data_offsets":[0,0]}}"#),
            ("too long", #"{"a":{"dtype":"U8","shape":["# + String(repeating: "1,", count: 9_000_000) + #"1],"data_offsets":[0,1]}}"#),
        ] {
            try place.write(zeros(header, 0), to: "h")
            let start = Date()
            let (status, error, peak) = try measured(reader)
            #expect(status == 65 && error.split(separator: "\n").count == 1 && error.count < 600, "\(reader), \(name): \(status) \(error.prefix(500))")
            #expect(peak < 300 && Date().timeIntervalSince(start) < 60, "\(reader), \(name): \(peak) MB in \(Date().timeIntervalSince(start)) s")
        }
    }
}

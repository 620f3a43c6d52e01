import Foundation
import TensorStreams
import TestSupport
import Testing

/// Checkpoints, streams and queues damaged at random places, given to every tool that reads them.
///
/// Each tool rejects the file in one line, or the damage has no effect: then the result equals that of the intact file.
struct DamagedInputTests {
    let place: Workplace

    init() throws {
        place = try Workplace()
        let made = try place.run("""
            synthesize -o s --train 48 --test 16 --classes 4 --size 16 --shards 1 -q; augment --data s/train --size 16 --batch 16 -q -o views
            initialize --network tiny-resnet10 --embedding 16 -q -o weights; embed --weights weights views -q -o taught; embed --weights weights taught --as student -q -o pairs
            embed --weights weights --features --drop images views -q -o features; train-step --student weights --queue-size 32 taught -q -o state
            convert-weights weights -q -o packed.safetensors.zst; queue-loss --queue-size 32 --queue queue pairs -q -o answers
            """)
        try #require(made.status == 0 && made.error.isEmpty, "\(made.error)")
    }

    /// A file, and a command that reads its damaged copy `bad`; the command's output is called `out`.
    static let readers = [
        ("weights", "embed --weights bad views -q -o out"), ("weights", "convert-weights bad -q -o out"), ("weights", "inspect --verify bad"), ("weights", "inspect bad"),
        ("state", "train-step --student bad taught --queue-size 32 -q -o out"), ("state", "train-step --student bad taught --loss 'queue-loss -q --queue-size 32' -q -o out"),
        ("packed.safetensors.zst", "embed --weights bad views -q -o out"), ("packed.safetensors.zst", "train-step --student bad taught --queue-size 32 -q -o out"),
        ("queue", "queue-loss --queue bad pairs -q -o out"), ("views", "embed --weights weights bad -q -o out"), ("views", "inspect --json bad"),
        ("taught", "train-step --student weights bad --queue-size 32 -q -o out"), ("taught", "cat bad | train-step --student weights - --queue-size 32 -q -o out"),
        ("taught", "train-step --student weights --objective supervised-contrastive bad -q -o out"),
        ("pairs", "queue-loss --queue-size 32 bad -q -o out"), ("features", "evaluate linear --train bad --test features -q"), ("features", "evaluate knn --train features --test bad -q"),
        ("answers", "train-step --student weights taught --loss 'cat bad; exec >&-; cat > /dev/null' -q -o out"),
    ]

    @Test func `what was damaged anywhere is refused in one line, or the damage changes nothing`() throws {
        var tally = Tally()
        var whole: [String: (output: String, file: Data?)] = [:]
        for round in 0..<Effort.rounds(4, long: 250) {
            for (number, (file, line)) in Self.readers.enumerated() {
                var random = Effort.random("damage \(number)", round: round)
                let bytes = try place.bytes(file)
                let damage = Damage.random(size: bytes.count, using: &random), damaged = damage.apply(to: bytes)
                try place.write(damaged, to: "bad")
                let result = try place.run("ulimit -c 0; ulimit -v 4000000; rm -f out; \(line)")
                let comment: Comment = "\(line), \(file): \(damage), \(Effort.place(round)): \(result.status) \(result.error)"
                if result.status == 0 {
                    if whole[line] == nil {
                        try place.run("cp \(file) bad; rm -f out")
                        whole[line] = (try place.run(line).output, try? place.bytes("out"))
                    }
                    // inspect shows a file as it is, which may differ from the original unless a checksum was verified:
                    // the damaged part may be its name.
                    if line.hasPrefix("inspect --verify"), !result.output.contains("no checksum") {
                        try place.write(damaged, to: "bad")
                        #expect(try DocumentFile.read(place.path("bad")) == DocumentFile.read(place.path(file)), comment)
                    } else if !line.hasPrefix("inspect") {
                        #expect((try? place.bytes("out")) == whole[line]?.file && result.output == whole[line]?.output, comment)
                    }
                } else {
                    let lines = line.contains("--loss 'queue-loss") ? 1...2 : 1...1
                    #expect(result.status == 65 && lines.contains(result.lines.count) && result.error.count < 2000, comment)
                    #expect(!place.exists("out"), comment)
                }
                #expect(!place.hasUnfinished, comment)
                tally.add("\(damage.kind)")
            }
        }
        Effort.report("damaged checkpoints, streams and queues: \(tally)")
    }

    /// Changes a document so that the file stays valid but its content is wrong.
    private func disturb(_ document: inout TensorDocument, using random: inout SplitMix) -> String {
        let text = ["", "0", "-1", "1", "9223372036854775807", "99999999999999999999", "nan", "1e400", "[]", "[\"a\"]", "tiny-resnet18", "é\u{0}\n", "wanted", String(repeating: "9", count: 5000)]
        let keys = document.metadata.keys.sorted() + ["end", "state", "classes", "epoch", "step", "samples", "network", "dimension"]
        guard let name = document.names.randomElement(using: &random), let tensor = document.tensors[name], Int.random(in: 0..<3, using: &random) > 0 else {
            let key = keys.randomElement(using: &random) ?? "", value = text.randomElement(using: &random) ?? ""
            document.metadata[key] = Bool.random(using: &random) ? value : nil
            return "\(key) = \(document.metadata[key]?.prefix(30) ?? "none")"
        }
        let size = tensor.dtype.size, bytes = tensor.withBytes { [UInt8]($0) }
        func put(_ change: String, _ dtype: DType, _ bytes: [UInt8], _ shape: [Int]) -> String {
            document.tensors[name] = Tensor(dtype: dtype, shape: shape) { $0.copyBytes(from: bytes) }
            return "\(name): \(change)"
        }
        switch Int.random(in: 0..<7, using: &random) {
        case 0:
            document.tensors[name] = nil
            return "\(name) left out"
        case 1:
            document.tensors["\(name)x"] = document.tensors.removeValue(forKey: name)
            return "\(name) renamed"
        case 2: return put("elements in one row", tensor.dtype, bytes, [tensor.count])
        case 3: return put("no elements", tensor.dtype, [], [0] + tensor.shape.dropFirst())
        case 4:
            let rows = max(1, (tensor.shape.first ?? 1) / 2), row = bytes.count / max(1, tensor.shape.first ?? 1)
            guard tensor.shape.count > 0 else { return put("no elements", tensor.dtype, [], [0]) }
            return put("\(rows) rows", tensor.dtype, Array(bytes.prefix(rows * row)), [rows] + tensor.shape.dropFirst())
        case 5:
            // NaN, infinities, denormals, the largest and the smallest integers.
            let patterns: [[UInt8]] = [[255, 255, 255, 255], [0, 0, 128, 127], [0, 0, 128, 255], [255, 255, 127, 127], [1, 0, 0, 0], [0, 0, 0, 128], [0, 0, 0, 0]]
            let pattern = patterns.randomElement(using: &random) ?? [], every = Bool.random(using: &random), at = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random) / size * size
            var changed = bytes
            for place in changed.indices where every || (at..<at + size).contains(place) { changed[place] = pattern[place % 4] }
            return put("\(every ? "all" : "element \(at / size)") \(pattern)", tensor.dtype, changed, tensor.shape)
        default:
            let other = DType.allCases.randomElement(using: &random) ?? .u8
            return put("\(other.rawValue)", other, (0..<tensor.count * other.size).map { bytes[$0 % max(1, bytes.count)] }, tensor.shape)
        }
    }

    /// Checksums do not detect this, because the file was written this way. Numbers may differ, but no tool may trap.
    @Test func `what was written wrong is used or refused in one line`() throws {
        var tried = 0
        for round in 0..<Effort.rounds(4, long: 250) {
            for (number, (file, line)) in Self.readers.enumerated() {
                var random = Effort.random("disturbed \(number)", round: round)
                let what: String
                if ["views", "taught", "pairs", "features", "answers"].contains(file) {
                    let (header, records) = try place.read(file)
                    let writer = try StreamWriter(place.path("bad"), header: header)
                    let chosen = Int.random(in: 0..<records.count, using: &random)
                    var said = ""
                    for (index, record) in records.enumerated() {
                        var record = record
                        if index == chosen { said = "record \(index), " + disturb(&record, using: &random) }
                        try writer.write(record)
                    }
                    try writer.commit()
                    what = said
                } else {
                    var document = try DocumentFile.read(place.path(file))
                    what = disturb(&document, using: &random)
                    // Other programs' files have no checksum.
                    document.metadata["checksum"] = nil
                    try DocumentFile.write(document, to: place.path("bad"), checksum: Bool.random(using: &random))
                }
                let result = try place.run("ulimit -c 0; ulimit -v 4000000; rm -f out; \(line)")
                let comment: Comment = "\(line), \(file): \(what), \(Effort.place(round)): \(result.status) \(result.error)"
                // A loss program has a line of its own.
                let lines = line.contains("--loss 'queue-loss") ? 1...2 : 1...1
                #expect(result.status == 0 || [64, 65].contains(result.status) && lines.contains(result.lines.count) && result.error.count < 2000 && !place.exists("out"), comment)
                #expect(!place.hasUnfinished, comment)
                tried += 1
            }
        }
        Effort.report("\(tried) checkpoints and streams whose records were written wrong")
    }
}

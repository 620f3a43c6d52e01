import Foundation
import TensorStreams
import TestSupport
import Testing

/// Linear evaluation with new views in each epoch.
struct FreshViewsTests {
    /// Four epochs of 60 samples in records of at most 16, and a test set. `part` holds only the last two epochs,
    /// `first` the first two.
    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.stream("test", samples: 45, seed: 2)
        func views(_ name: String, _ epochs: Range<Int>) throws {
            // A sample's numbers depend on its position in the whole stream.
            let header = StreamHeader(metadata: ["classes": #"["ant","bee","cat"]"#, "batch": "16", "epochs": "\(epochs.count)", "epoch": "\(epochs.lowerBound)", "dimension": "8"])
            let writer = try StreamWriter(place.path(name), header: header)
            for epoch in epochs {
                for start in stride(from: 0, to: 60, by: 16) {
                    let items = Array(start..<min(60, start + 16)), labels = items.map { Int32($0 * 7 % 3) }
                    let features = zip(items, labels).flatMap { item, label -> [Float] in
                        formula("fresh.\(epoch).\(item)", 8).enumerated().map { 2 * $1 + ($0 == Int(label) ? 1 : 0) }
                    }
                    try writer.write(TensorDocument(metadata: ["epoch": "\(epoch)"], tensors: [
                        "features": Tensor(f32: features, shape: [items.count, 8]), "label": Tensor(i32: labels, shape: [items.count]),
                        "index": Tensor(i64: items.map(Int64.init), shape: [items.count]),
                    ]))
                }
            }
            try writer.commit()
        }
        try views("train", 0..<4)
        try views("first", 0..<2)
        try views("part", 2..<4)
        return place
    }

    private static let linear = "evaluate linear --test test --fresh-views --protocol seed --learning-rate 2 --epochs 4 --milestones 2 --warm-up 1"

    private func numbers(_ place: Workplace, _ name: String, _ key: String) throws -> [Double] {
        let json = try JSON(parsing: place.text(name))
        return try #require(json["protocol"]?[key]?.asArray).compactMap(\.asNumber)
    }

    @Test func `each record is a step, as a plain loop in double precision has it`() throws {
        let place = try place()
        #expect(try place.run("\(Self.linear) --weight-decay 0.01 --train train -o fresh.json").status == 0)
        // The state after training at a rate of nearly 0 shows the classifier's initial values.
        #expect(try place.run("evaluate linear --test test --fresh-views --protocol seed --learning-rate 1e-12 --epochs 1 --train first --state begin.safetensors -q").status == 0)
        let begin = try DocumentFile.read(place.path("begin.safetensors"))
        var W = try #require(begin.tensors["weight"]).floats().map { Double($0) }, b = [0.0, 0, 0], v = [Double](repeating: 0, count: 27)
        var losses: [Double] = [], rates: [Double] = []
        for epoch in 0..<4 {
            let rate = [0.0625, 0.125, 0.0125, 0.0125][epoch]
            var total = 0.0
            for start in stride(from: 0, to: 60, by: 16) {
                let items = Array(start..<min(60, start + 16))
                var gradient = [Double](repeating: 0, count: 27)
                for item in items {
                    let label = item * 7 % 3, draws = formula("fresh.\(epoch).\(item)", 8)
                    let x: [Double] = (0..<8).map { 2 * Double(draws[$0]) + ($0 == label ? 1 : 0) }
                    var z = b
                    for c in 0..<3 { for d in 0..<8 { z[c] += W[c * 8 + d] * x[d] } }
                    let sum = z.reduce(0) { $0 + exp($1) }
                    total += log(sum) - z[label]
                    for c in 0..<3 {
                        let dz = (exp(z[c]) / sum - (c == label ? 1 : 0)) / Double(items.count)
                        for d in 0..<8 { gradient[c * 8 + d] += dz * x[d] }
                        gradient[24 + c] += dz
                    }
                }
                for i in 0..<27 {
                    let weight = i < 24 ? W[i] : b[i - 24]
                    v[i] = 0.9 * v[i] + gradient[i] + 0.01 * weight
                    if i < 24 { W[i] -= rate * v[i] } else { b[i - 24] -= rate * v[i] }
                }
            }
            losses.append(total / 60)
            rates.append(rate)
        }
        let found = try numbers(place, "fresh.json", "losses")
        #expect(found.count == 4 && zip(found, losses).allSatisfy { abs($0 - $1) < 1e-4 }, "\(found) \(losses)")
        #expect(try zip(numbers(place, "fresh.json", "learning_rates"), rates).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(try numbers(place, "fresh.json", "test_top1").count == 4)
    }

    @Test func `what goes on from a state ends in the same bytes, from the whole stream or from the epochs that are left`() throws {
        let place = try place()
        let whole = try place.run("\(Self.linear) --train train -o whole.json")
        #expect(whole.status == 0 && whole.output.contains("4 epochs of fresh views, ×0.1 at 2, 1 warm-up"))
        for (name, rest) in [("a", "train"), ("b", "part")] {
            let half = try place.run("\(Self.linear) --train first --state \(name).state")
            #expect(half.status == 0 && half.error.contains("was trained for 2 of the protocol's 4 epochs"))
            let other = try place.run("\(Self.linear) --train \(rest) --state \(name).state -o \(name).json")
            #expect(other.status == 0 && other.output == whole.output, "\(other.error)")
            for key in ["losses", "test_top1", "train_top1", "learning_rates"] { #expect(try numbers(place, "\(name).json", key) == numbers(place, "whole.json", key)) }
        }
        #expect(try place.bytes("a.json") == place.bytes("whole.json") && place.bytes("a.state") == place.bytes("b.state"))
    }

    @Test func `a state goes with stored features too`() throws {
        let place = try place()
        let linear = "evaluate linear --train train --test test --protocol simreg --seed 3"
        #expect(try place.run("\(linear) --state s -o first.json").status == 0)
        let again = try place.run("\(linear) --state s -o again.json")
        #expect(again.status == 0 && again.output.contains("40 epochs of stored features, ×0.1 at 15, 30, fc N(0, 0.01), seed 3, unit-length, standardised features 8-d"))
        #expect(try place.bytes("first.json") == place.bytes("again.json"))
        // Other features with the same name, and fewer of them.
        for data in ["--train first --test test", "--train train --test first"] {
            let other = try place.run("\(linear) \(data) --state s".replacing("--train train --test test ", with: ""))
            #expect(other.status == 65 && other.error.contains("s: belongs to another evaluation or to other data"), "\(data): \(other.error)")
        }
        let changed = try place.run("evaluate linear --train train --test test --protocol seed --epochs 2 --learning-rate 1")
        #expect(changed.output.contains("(seed with another --fresh-views, --learning-rate, --epochs: SGD"), "\(changed.output)")
    }

    @Test(arguments: [
        ("--train part", 65, "part: continues with epoch 2, expected epoch 0 (counted from 0); give augment --epoch 0 and --epochs 4"),
        ("--train test", 65, "test: does not state its batch size"), ("--train train --state other", 65, "other: belongs to another evaluation or to other data"),
        ("--train train --batch 8", 64, "--batch has no effect with --fresh-views"), ("--train train --normalize standard", 64, "--fresh-views cannot be standardised"),
        ("--train train --solver convex", 64, "--protocol applies only to --solver sgd"), ("--train train --learning-rate 1e300", 65, "the linear classifier diverged in epoch"),
    ])
    func `what does not go together is said`(_ arguments: String, _ status: Int32, _ words: String) throws {
        let place = try place()
        try place.perform("\(Self.linear) --train first --seed 8 --state other -q")
        let result = try place.run("\(Self.linear) \(arguments)")
        #expect(result.status == status && result.error.contains(words), "\(result.error)")
    }
}

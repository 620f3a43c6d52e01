import TensorStreams
import TestSupport

extension Workplace {
    /// Writes a stream of samples whose features indicate their class with noise: class c leans towards dimension c.
    func stream(
        _ name: String, samples: Int = 60, record: Int = 16, dimension: Int = 8, classes: [String]? = ["ant", "bee", "cat"],
        seed: Int = 1, facts: [String: String] = [:], change: (Int, inout TensorDocument) -> Void = { _, _ in }, label: (Int) -> Int32 = { Int32($0 % 3) }
    ) throws {
        var metadata = ["dimension": "\(dimension)"].merging(facts) { $1 }
        if let classes { metadata["classes"] = JSON.array(classes.map { .string($0) }).text }
        let header = StreamHeader(provenance: Provenance(lines: ["augment 0.1.0 --data d.tar --seed \(seed)", "embed 0.1.0"]), metadata: metadata)
        let writer = try StreamWriter(path(name), header: header)
        var state = UInt64(seed)
        func noise() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(state >> 40) / Float(1 << 24) - 0.5
        }
        for (number, start) in stride(from: 0, to: samples, by: record).enumerated() {
            let items = Array(start..<min(samples, start + record))
            let labels = items.map(label)
            let features = labels.flatMap { label in (0..<dimension).map { noise() * 3 + ($0 == Int(label) ? 2 : 0) } }
            var document = TensorDocument(tensors: [
                "features": Tensor(f32: features, shape: [items.count, dimension]), "label": Tensor(i32: labels, shape: [items.count]),
                "index": Tensor(i64: items.map(Int64.init), shape: [items.count]),
            ])
            change(number, &document)
            try writer.write(document)
        }
        try writer.commit()
    }
}

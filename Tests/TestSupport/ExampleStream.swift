public import TensorStreams

/// A batch of noise and ramps: `images` u8 [N,1,S,S,3], `index`, `label`, `teacher` [N,8].
public func exampleBatch(_ step: Int, count: Int = 3, size: Int = 4) -> TensorDocument {
    let pixels = (0..<count * size * size * 3).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 7 &+ step) }
    return TensorDocument(
        metadata: ["epoch": "0", "step": "\(step)"],
        tensors: [
            "images": Tensor(u8: pixels, shape: [count, 1, size, size, 3]),
            "index": Tensor(i64: (0..<count).map { Int64(step * count + $0) }, shape: [count]),
            "label": Tensor(i32: (0..<count).map { Int32($0) - 1 }, shape: [count]),
            "teacher": Tensor(f32: (0..<count * 8).map { Float($0) / 8 - Float(step) }, shape: [count, 8]),
        ])
}

public let exampleHeader = StreamHeader(
    provenance: Provenance(lines: ["augment 0.1.0 --seed 0"]), metadata: ["classes": #"["cat","dog"]"#, "samples": "9"])

/// Writes a stream of `records` batches to `path`.
public func writeExampleStream(_ path: String, records: Int = 3, level: Int? = nil) throws {
    let writer = try StreamWriter(path, header: exampleHeader, level: level)
    for step in 0..<records { try writer.write(exampleBatch(step)) }
    try writer.commit()
}

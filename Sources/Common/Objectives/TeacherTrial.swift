import Platform
import Randomness
import TensorStreams
public import ToolSupport

/// Tries a teacher program on two small records of random images, so that errors appear before the training starts
/// and the width of its rows is known.
public struct TeacherTrial: Sendable {
    /// The width of a row.
    public let dimension: Int
    /// The seconds per image of the second record. The first record also waits for the program to start.
    public let secondsPerImage: Double

    /// - Parameters:
    ///   - option: the option that names the command, for messages.
    ///   - size: height and width of the images.
    /// - Throws: ``Failure`` where the program gives no answer, or one that is not a teacher's.
    public init(_ command: String, option: String, size: Int, _ supervision: ProgramSupervision) throws {
        // Two batch sizes: the last batch of an epoch may be smaller.
        let counts = [4, 3]
        let header = StreamHeader(metadata: [
            "batch": "\(counts[0])", "records": "\(counts.count)", "images": "\(counts.reduce(0, +))", "samples": "\(counts.reduce(0, +))", "classes": "[]",
            "epoch": "0", "epochs": "1", "recipe": "evaluation",
        ])
        let process = try TeacherProcess(command, option: option, header: header, supervision)
        var seconds = 0.0
        for (step, N) in counts.enumerated() {
            let start = Progress.now()
            _ = try process.rows(TeacherTrial.record(step, N, size))
            seconds = Progress.now() - start
        }
        try process.finish()
        dimension = process.dimension ?? 0
        secondsPerImage = seconds / Double(counts[counts.count - 1])
    }

    private static func record(_ step: Int, _ N: Int, _ size: Int) -> TensorDocument {
        var random = CounterRandom(seed: 0, .trial, item: step)
        let count = N * size * size * 3
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 3)
        while bytes.count < count { unsafe withUnsafeBytes(of: random.nextWord()) { unsafe bytes.append(contentsOf: $0) } }
        // Values that would not survive conversion to another type.
        let index = (0..<N).map { Int64(1) << 40 + Int64(64 * step - $0) }
        return TensorDocument(
            metadata: ["epoch": "0", "step": "\(step)"],
            tensors: [
                "images": Tensor(u8: Array(bytes.prefix(count)), shape: [N, 1, size, size, 3]), "index": Tensor(i64: index, shape: [N]),
                "label": Tensor(i32: [Int32](repeating: -1, count: N), shape: [N]),
            ])
    }
}

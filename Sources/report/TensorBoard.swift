import Pipeline
import Platform
import ToolSupport

/// A run's logs as TensorBoard event files: one folder per network with one file.
///
/// A file is a sequence of TFRecords: length (u64), its checksum, the bytes, their checksum; all little-endian. The
/// checksum is a masked CRC-32C: rotated right by 15 bits, plus a constant (tensorflow, `record_writer.cc`). The bytes
/// are a Protocol Buffers `Event` (`event.proto`): wall_time (1, double), step (2, int64), file_version (3) or summary
/// (5), whose value (1) has a tag (1) and a simple_value (2, float).
enum TensorBoard {
    static let folder = "tensorboard"

    /// Writes `tensorboard/NAME/events.out.tfevents.seed` in the run's folder, replacing existing files.
    static func write(_ run: ReportedRun) throws {
        let root = "\(run.folder)/\(folder)"
        try make(root)
        for (title, logs) in run.courses where !logs.isEmpty {
            try make("\(root)/\(title)")
            let judged = Dictionary(grouping: Courses.judged(run, title), by: \.name).mapValues { $0.map { (x: Double($0.epoch), y: $0.value) } }
            let file = events(Courses.values(logs).merging(judged) { $1 })
            try unsafe OutputFile.write(file.span.bytes, to: "\(root)/\(title)/events.out.tfevents.seed")
        }
    }

    private static func make(_ path: String) throws {
        guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else { throw Failure.errno(.cannotCreate, path: path, "cannot make the folder") }
    }

    /// The bytes of an event file.
    ///
    /// A step is a thousandth of an epoch. The wall time is the step in seconds: logs have no clock, and the same run
    /// must give the same bytes.
    ///
    /// - Parameter values: numbers by name, over epochs.
    static func events(_ values: [String: [(x: Double, y: Double)]]) -> [UInt8] {
        var file = record(double(1, 0) + text(3, "brain.Event:2"))
        for name in values.keys.sorted() where !["epoch", "step"].contains(name) {
            for point in values[name] ?? [] where point.y.isFinite && abs(point.x) < 1e12 {
                let step = Int((point.x * 1000).rounded()), value = text(1, name) + [2 << 3 | 5] + bytes(Float(point.y).bitPattern)
                file += record(double(1, Double(step)) + [2 << 3 | 0] + varint(step) + message(5, message(1, value)))
            }
        }
        return file
    }

    private static func record(_ event: [UInt8]) -> [UInt8] {
        let length = bytes(UInt64(event.count))
        return length + bytes(masked(length)) + event + bytes(masked(event))
    }

    private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    private static func double(_ field: UInt8, _ value: Double) -> [UInt8] { [field << 3 | 1] + bytes(value.bitPattern) }
    private static func message(_ field: UInt8, _ content: [UInt8]) -> [UInt8] { [field << 3 | 2] + varint(content.count) + content }
    private static func text(_ field: UInt8, _ content: String) -> [UInt8] { message(field, Array(content.utf8)) }

    private static func varint(_ number: Int) -> [UInt8] {
        var rest = UInt64(bitPattern: Int64(number)), bytes: [UInt8] = []
        while rest > 0x7F {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static let table: [UInt32] = (0..<256).map { byte in (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 } }

    private static func masked(_ bytes: [UInt8]) -> UInt32 {
        let crc = ~bytes.reduce(~UInt32(0)) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }
}

import Platform
import TensorStreams
import TestSupport
import ToolSupport

/// All records of a stream, or the failure from reading it.
func readAll(_ path: String, limits: Limits = .standard) -> Result<[TensorDocument], Failure> {
    do {
        let reader = try StreamReader(path, limits: limits)
        var records: [TensorDocument] = []
        while let record = try reader.next() { records.append(record) }
        return .success(records)
    } catch {
        return .failure(error as! Failure)
    }
}

/// The same for bytes that come through a pipe.
func readAll(_ bytes: [UInt8], limits: Limits = .standard) -> Result<[TensorDocument], Failure> {
    do {
        let reader = try StreamReader(descriptor: pipe(holding: bytes), name: "pipe", limits: limits)
        var records: [TensorDocument] = []
        while let record = try reader.next() { records.append(record) }
        return .success(records)
    } catch {
        return .failure(error as! Failure)
    }
}

/// The read end of a pipe that holds `bytes`, at most 64 KiB, followed by its end.
func pipe(holding bytes: [UInt8]) -> CInt {
    var ends: [CInt] = [0, 0]
    Platform.pipe(&ends)
    precondition(Platform.write(ends[1], bytes, bytes.count) == bytes.count)
    close(ends[1])
    return ends[0]
}

/// A safetensors document of a header and data, valid or not.
func document(_ header: String, data: [UInt8] = []) -> [UInt8] {
    littleEndian(UInt64(header.utf8.count)) + header.utf8 + data
}

/// The frames of a stream, according to the index at its end.
func frames(of stream: [UInt8]) -> [[UInt8]] {
    let count = Int(stream[stream.count - 9]) + Int(stream[stream.count - 8]) << 8
    var entry = stream.count - 9 - 8 * count
    var start = 0
    return (0..<count).map { _ in
        let size = (0..<4).reduce(0) { $0 | Int(stream[entry + $1]) << (8 * $1) }
        entry += 8
        defer { start += size }
        return Array(stream[start..<start + size])
    }
}

import Platform
import TensorStreams
import ToolSupport

/// A folder that is removed with everything in it.
final class TemporaryFolder {
    let path: String

    init() {
        let place = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(place)/tensor-streams-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    }

    /// The path of a file in it.
    func file(_ name: String) -> String { path + "/" + name }

    var names: [String] { run("/bin/ls", path).output.split(separator: "\n").map(String.init) }

    deinit { _ = run("/bin/rm", "-rf", path) }
}

func bytes(of path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return bytes
}

func write(_ bytes: [UInt8], to path: String) {
    let file = fopen(path, "w")!
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
}

/// Runs a program; nil where it is not installed.
func run(_ program: String, _ arguments: String...) -> (status: Int32, output: String) {
    var pipe: [Int32] = [0, 0]
    Platform.pipe(&pipe)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
    posix_spawn_file_actions_adddup2(&actions, pipe[1], 2)
    posix_spawn_file_actions_addclose(&actions, pipe[0])
    posix_spawn_file_actions_addclose(&actions, pipe[1])
    var arguments: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    var child = pid_t()
    let status = posix_spawnp(&child, program, &actions, nil, &arguments, environ)
    posix_spawn_file_actions_destroy(&actions)
    for argument in arguments { free(argument) }
    close(pipe[1])
    defer { close(pipe[0]) }
    guard status == 0 else { return (127, "") }
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = read(pipe[0], &chunk, chunk.count), count > 0 { output += chunk[..<count] }
    var result: Int32 = 0
    waitpid(child, &result, 0)
    return (result & 0x7F == 0 ? result >> 8 & 0xFF : 128 + result & 0x7F, String(decoding: output, as: UTF8.self))
}

/// A batch of noise and ramps: `images` u8 [N,1,S,S,3], `index`, `label`, `teacher` [N,8].
func batch(_ step: Int, count: Int = 3, size: Int = 4) -> TensorDocument {
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

let header = StreamHeader(
    provenance: Provenance(lines: ["augment 0.1.0 --seed 0"]), metadata: ["classes": #"["cat","dog"]"#, "samples": "9"])

/// Writes a stream of `records` batches to `path`.
func writeStream(_ path: String, records: Int = 3, level: Int? = nil) throws {
    let writer = try StreamWriter(path, header: header, level: level)
    for step in 0..<records { try writer.write(batch(step)) }
    try writer.commit()
}

/// Everything in a stream, or the failure that reading it meets.
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

/// The same of bytes that come through a pipe.
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

/// The reading end of a pipe that holds `bytes`, at most 64 KiB, and its end.
func pipe(holding bytes: [UInt8]) -> CInt {
    var ends: [CInt] = [0, 0]
    Platform.pipe(&ends)
    precondition(Platform.write(ends[1], bytes, bytes.count) == bytes.count)
    close(ends[1])
    return ends[0]
}

/// A safetensors document of a header and data, right or wrong.
func document(_ header: String, data: [UInt8] = []) -> [UInt8] {
    littleEndian(UInt64(header.utf8.count)) + header.utf8 + data
}

func littleEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

/// The frames of a stream by the index at its end.
func frames(of stream: [UInt8]) -> [[UInt8]] {
    let count = Int(stream[stream.count - 9]) + Int(stream[stream.count - 8]) << 8
    var place = stream.count - 9 - 8 * count
    var start = 0
    return (0..<count).map { _ in
        let size = (0..<4).reduce(0) { $0 | Int(stream[place + $1]) << (8 * $1) }
        place += 8
        defer { start += size }
        return Array(stream[start..<start + size])
    }
}

/// A file beside the Python that wrote it.
func golden(_ name: String, file: String = #filePath) -> String {
    file.split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/golden/" + name
}

/// The failure that `body` must end in.
func failure(_ body: () throws -> Void) -> Failure? {
    do {
        try body()
        return nil
    } catch {
        return error as? Failure
    }
}

import Checkpoints
import Datasets
import Images
import Platform
import TensorStreams
import ToolSupport

/// Runs libFuzzer on the reader that SEED_FUZZ_READER names: see `make fuzz`.
///
/// An input may be rejected in any way that a tool's user would see as an error message. A trap, an exit, a hang or a
/// large allocation is a finding.
enum Fuzz {
    private static let name = getenv("SEED_FUZZ_READER").map { String(cString: $0) } ?? ""
    private static let file = FuzzedFile()

    static func test(_ bytes: [UInt8]) {
        guard let reader = readers[name] else {
            FuzzedFile.say("fuzz: FUZZ=\(name): there is no such reader; there are \(readers.keys.sorted().joined(separator: ", "))")
            _exit(64)
        }
        do {
            try reader(bytes)
        } catch let failure as Failure {
            precondition(failure.kind != .software, "\(failure)")
        } catch {
            preconditionFailure("\(error)")
        }
    }

    private static let readers: [String: @Sendable ([UInt8]) throws -> Void] = [
        // torch.save's legacy format consists of pickles from its first byte.
        "pickle": weights, "zip": weights, "npz": weights, "safetensors": weights,
        "frame": { bytes in
            let reader = try StreamReader(file.holding(bytes))
            while try reader.next() != nil {}
        },
        "jpeg": { bytes in
            _ = try? JPEGHeader(bytes)
            _ = try JPEG.decode(bytes)
        },
        "json": { bytes in _ = try JSON(parsing: bytes).text },
        "archive": { bytes in
            let dataset = try Dataset(file.holding(bytes))
            var chunk = [UInt8](repeating: 0, count: 65536)
            for index in dataset.samples.indices {
                let reader = try dataset.reader(index)
                _ = try chunk.withUnsafeMutableBytes { try reader.read(into: $0, at: 0) }
            }
        },
    ]

    private static let weights: @Sendable ([UInt8]) throws -> Void = { bytes in _ = try WeightsFile(file.holding(bytes)) }
}

/// The input as a file, because the readers take paths.
struct FuzzedFile {
    private let path: String

    init() {
        // In memory if that folder exists.
        let folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        path = "\(folder)/seed-fuzz-\(getpid())"
        // Its path would be left behind if the process dies; the descriptor's name serves as well.
        descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        precondition(descriptor >= 0, "cannot make \(path)")
        unlink(path)
    }

    private let descriptor: CInt

    /// The path of a file with these bytes, valid until the next call.
    func holding(_ bytes: [UInt8]) -> String {
        precondition(ftruncate(descriptor, 0) == 0 && pwrite(descriptor, bytes, bytes.count, 0) == bytes.count, "cannot write the input")
        return "/proc/self/fd/\(descriptor)"
    }

    static func say(_ line: String) { _ = write(STDERR_FILENO, line + "\n", line.utf8.count + 1) }
}

/// libFuzzer's entry point.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Fuzz.test(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}

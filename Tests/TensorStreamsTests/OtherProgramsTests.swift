import TensorStreams
import Testing
import ToolSupport

/// What other programs make of our files. They are skipped where the program is not installed.
struct OtherProgramsTests {
    private static let hasZstd = run("zstd", "--version").status == 0
    private static let hasPython = run("python3", "-c", "import safetensors.numpy, zstandard").status == 0
    let folder = TemporaryFolder()

    @Test(.enabled(if: hasZstd)) func `zstd finds a stream whole, and passes over its index`() throws {
        try writeStream(folder.file("a.tensors.zst"))
        let whole = run("zstd", "-t", folder.file("a.tensors.zst"))
        #expect(whole.status == 0, "\(whole.output)")
        #expect(run("zstd", "-q", "-d", folder.file("a.tensors.zst"), "-o", folder.file("a")).status == 0)
        let content = bytes(of: folder.file("a"))
        let reader = try StreamReader(folder.file("a.tensors.zst"))
        while try reader.next() != nil {}
        #expect(content.count == reader.contentBytes)
        #expect(content[8...].starts(with: #"{"__metadata__":{"classes":"#.utf8))
    }

    @Test(.enabled(if: hasZstd)) func `zstd finds the checksum of a damaged record wrong`() throws {
        try writeStream(folder.file("a.tensors.zst"))
        var damaged = bytes(of: folder.file("a.tensors.zst"))
        damaged[frames(of: damaged)[..<2].joined().count - 1] ^= 1
        write(damaged, to: folder.file("a.tensors.zst"))
        #expect(run("zstd", "-t", folder.file("a.tensors.zst")).status != 0)
    }

    @Test(.enabled(if: hasZstd)) func `a checkpoint that zstd compressed, from a file or a pipe, is read`() throws {
        try DocumentFile.write(batch(1), to: folder.file("a.safetensors"))
        #expect(run("zstd", "-q", folder.file("a.safetensors"), "-o", folder.file("file.zst")).status == 0)
        #expect(run("sh", "-c", "zstd -q -c < \(folder.file("a.safetensors")) | cat > \(folder.file("pipe.zst"))").status == 0)
        #expect(try DocumentFile.read(folder.file("file.zst")) == batch(1))
        #expect(try DocumentFile.read(folder.file("pipe.zst")) == batch(1))
    }

    @Test(.enabled(if: hasPython)) func `ten lines of Python read a stream, and see that one is cut`() throws {
        try writeStream(folder.file("a.tensors.zst"))
        let found = run("python3", golden("read_stream.py"), folder.file("a.tensors.zst"))
        #expect(found.status == 0)
        #expect(found.output.contains("{'epoch': '0', 'step': '2'} images uint8[3, 1, 4, 4, 3] index int64[3] label int32[3] teacher float32[3, 8]\n"))
        let stream = bytes(of: folder.file("a.tensors.zst"))
        write(Array(frames(of: stream)[..<3].joined()), to: folder.file("cut"))
        #expect(run("python3", golden("read_stream.py"), folder.file("cut")).status != 0)
    }
}

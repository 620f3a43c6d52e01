import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// Other programs read our files. The tests are skipped if a program is not installed.
struct OtherProgramsTests {
    private static let hasZstd = Workplace.runs("zstd --version")
    private static let hasPython = Workplace.runs("python3 -c 'import safetensors.numpy, zstandard'")
    let folder: Workplace

    init() throws { folder = try Workplace() }

    @Test(.enabled(if: hasZstd, "there is no zstd")) func `zstd finds a stream whole, and passes over its index`() throws {
        try writeExampleStream(folder.path("a.tensors.zst"))
        let whole = try folder.run("zstd -t a.tensors.zst")
        #expect(whole.status == 0, "\(whole.error)")
        #expect(try folder.run("zstd -q -d a.tensors.zst -o a").status == 0)
        let content = bytes(of: folder.path("a"))
        let reader = try StreamReader(folder.path("a.tensors.zst"))
        while try reader.next() != nil {}
        #expect(content.count == reader.contentBytes)
        #expect(content[8...].starts(with: #"{"__metadata__":{"classes":"#.utf8))
    }

    @Test(.enabled(if: hasZstd, "there is no zstd")) func `zstd finds the checksum of a damaged record wrong`() throws {
        try writeExampleStream(folder.path("a.tensors.zst"))
        var damaged = bytes(of: folder.path("a.tensors.zst"))
        damaged[frames(of: damaged)[..<2].joined().count - 1] ^= 1
        write(damaged, to: folder.path("a.tensors.zst"))
        let found = try folder.run("zstd -t a.tensors.zst")
        #expect(found.status == 1 && found.error.contains("checksum"), "\(found.status) \(found.error)")
    }

    @Test(.enabled(if: hasZstd, "there is no zstd")) func `a checkpoint that zstd compressed, from a file or a pipe, is read`() throws {
        try DocumentFile.write(exampleBatch(1), to: folder.path("a.safetensors"))
        #expect(try folder.run("zstd -q a.safetensors -o file.zst").status == 0)
        #expect(try folder.run("zstd -q -c < a.safetensors | cat > pipe.zst").status == 0)
        #expect(try DocumentFile.read(folder.path("file.zst")) == exampleBatch(1))
        #expect(try DocumentFile.read(folder.path("pipe.zst")) == exampleBatch(1))
    }

    @Test(.enabled(if: hasPython, "python3 has no safetensors or zstandard")) func `ten lines of Python read a stream, and see that one is cut`() throws {
        try writeExampleStream(folder.path("a.tensors.zst"))
        let found = try folder.run("python3 '\(golden("read_stream.py"))' a.tensors.zst")
        #expect(found.status == 0)
        #expect(found.output.contains("{'epoch': '0', 'step': '2'} images uint8[3, 1, 4, 4, 3] index int64[3] label int32[3] teacher float32[3, 8]\n"))
        let stream = bytes(of: folder.path("a.tensors.zst"))
        write(Array(frames(of: stream)[..<3].joined()), to: folder.path("cut"))
        let cut = try folder.run("python3 '\(golden("read_stream.py"))' cut")
        #expect(cut.status == 1 && cut.error.hasSuffix("EOFError: the stream ends without its end record\n"), "\(cut.status) \(cut.error)")
    }
}

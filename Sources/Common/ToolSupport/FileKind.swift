/// The likely kind of a file by its first bytes, for messages about a file of an unexpected kind.
public struct FileKind {
    /// The number of bytes that are enough to tell.
    public static let prefix = 512

    /// "a JPEG image".
    public let name: String
    /// How to convert it to a file of tensors; nil where there is no short answer.
    public let toTensors: String?
    /// Whether it is compressed, and so may contain anything.
    public var isCompressed: Bool { name.hasPrefix("compressed") }

    private init(_ name: String, toTensors: String? = nil) {
        self.name = name
        self.toTensors = toTensors
    }

    /// The remedy for files that only convert-weights reads.
    public static let toConvert = "convert it with convert-weights"

    /// The kind of a file that begins with `start`; nil where it is unknown.
    public static func of(_ start: [UInt8]) -> FileKind? {
        let safetensors = toConvert
        let decompress = "decompress it first"
        func begins(_ bytes: [UInt8]) -> Bool { start.starts(with: bytes) }
        func begins(_ text: String) -> Bool { start.starts(with: text.utf8) }
        func holds(_ text: String) -> Bool { start.indices.contains { start[$0...].starts(with: text.utf8) } }
        if begins([0xFF, 0xD8, 0xFF]) { return FileKind("a JPEG image") }
        if begins([0x89] + "PNG".utf8) { return FileKind("a PNG image") }
        if begins("GIF8") { return FileKind("a GIF image") }
        if begins("RIFF"), start.dropFirst(8).starts(with: "WEBP".utf8) { return FileKind("a WebP image") }
        if begins("PK\u{3}\u{4}") {
            if holds("data.pkl") || holds(".data/") { return FileKind("a file of torch.save", toTensors: safetensors) }
            if holds(".npy") { return FileKind("a NumPy archive", toTensors: safetensors) }
            let isScript = holds("/code/") || holds("/constants.pkl") || holds("/data/0")
            return isScript ? FileKind("a TorchScript program", toTensors: "save the state_dict of torch.jit.load(…) with torch.save") : FileKind("a zip archive")
        }
        if begins("PK\u{5}\u{6}") { return FileKind("an empty zip archive") }
        // A pickle of protocol 2 to 5 is the format of older PyTorch.
        if let version = start.dropFirst().first, begins([0x80]), 2...5 ~= version {
            return FileKind("a Python pickle, as older versions of torch.save wrote", toTensors: safetensors)
        }
        if start.dropFirst(257).starts(with: "ustar".utf8) { return FileKind("a tar archive") }
        if begins([0x1F, 0x8B]) { return FileKind("compressed by gzip", toTensors: decompress) }
        if begins("BZh") { return FileKind("compressed by bzip2", toTensors: decompress) }
        if begins([0xFD] + "7zXZ".utf8) { return FileKind("compressed by xz", toTensors: decompress) }
        if begins([0x28, 0xB5, 0x2F, 0xFD]) { return FileKind("compressed by zstd", toTensors: decompress) }
        if begins([0x04, 0x22, 0x4D, 0x18]) { return FileKind("compressed by lz4", toTensors: decompress) }
        if begins([0x5D, 0, 0]) { return FileKind("compressed by lzma", toTensors: decompress) }
        if begins([0x37, 0x7A, 0xBC, 0xAF]) { return FileKind("a 7-Zip archive") }
        if begins("Rar!") { return FileKind("a RAR archive") }
        if begins([0x89] + "HDF".utf8) { return FileKind("an HDF5 file") }
        if begins([0x93] + "NUMPY".utf8) { return FileKind("a NumPy array") }
        // A length of less than 16 MiB, then the header.
        if start.count > 8, start[3..<8].allSatisfy({ $0 == 0 }), start[8] == UInt8(ascii: "{") { return FileKind("a safetensors file") }
        if begins("GGUF") { return FileKind("a GGUF file") }
        if begins([0x7F] + "ELF".utf8) { return FileKind("a program") }
        if begins("version https://git-lfs") { return FileKind("a Git LFS pointer, not the file itself") }
        if begins("<!DOCTYPE") || begins("<!doctype") || begins("<html") { return FileKind("a web page") }
        // ONNX: the format version, then the name of the program that wrote it.
        if start.count > 4, start[0] == 0x08, start[1] < 32, start[2] == 0x12, start.dropFirst(4).prefix(Int(start[3])).allSatisfy({ 0x20...0x7E ~= $0 }) {
            return FileKind("an ONNX file, whose tensors are not read", toTensors: "name the weights it was made from")
        }
        if start.count > 8, start.prefix(64).allSatisfy({ $0 >= 0x20 && $0 < 0x7F || 0x09...0x0D ~= $0 }) { return FileKind("text") }
        return nil
    }
}

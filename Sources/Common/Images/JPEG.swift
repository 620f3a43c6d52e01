import CTurboJPEG
import ToolSupport

/// JPEG pictures, by way of TurboJPEG.
///
/// Decoding gives the bytes that Pillow gives (`Image.open(f).convert("RGB")`): accurate inverse DCT,
/// smooth upsampling of the colours, grey spread over three channels, CMYK and YCCK taken as Adobe writes them.
public enum JPEG {
    /// The most pixels an image may have (716 MB decoded), as in Pillow, which takes it for a decompression bomb above this.
    public static let maximumPixels = 178_956_970

    /// Decodes one picture.
    ///
    /// - Throws: a ``Failure`` of kind `data`, without path, if it is no JPEG, is truncated or damaged, or is too large.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Image {
        let canvas = Canvas()
        try JPEGDecoder().decode(bytes, into: canvas)
        return canvas.image
    }

    /// Decodes one picture.
    public static func decode(_ bytes: [UInt8]) throws -> Image {
        try bytes.withUnsafeBytes { try decode($0) }
    }

    /// Encodes `rgb`, height · width · 3 bytes, with colours at half the resolution (4:2:0), as cameras do.
    ///
    /// - Parameter quality: 1 to 100.
    public static func encode(_ rgb: UnsafeBufferPointer<UInt8>, width: Int, height: Int, quality: Int) throws -> [UInt8] {
        precondition(width > 0 && height > 0 && rgb.count == width * height * 3 && (1...100).contains(quality))
        guard width <= 65500, height <= 65500 else {
            throw Failure(.data, "a picture of \(width)×\(height) pixels; JPEG holds at most 65500 a side")
        }
        guard let handle = tjInitCompress() else { throw Failure(.software, "TurboJPEG does not start") }
        defer { tjDestroy(handle) }
        var encoded: UnsafeMutablePointer<UInt8>?
        var size: UInt = 0
        defer { tjFree(encoded) }
        let status = tjCompress2(
            handle, rgb.baseAddress, Int32(width), 0, Int32(height), Int32(TJPF_RGB.rawValue),
            &encoded, &size, Int32(TJSAMP_420.rawValue), Int32(quality), TJFLAG_ACCURATEDCT)
        guard status == 0, let encoded else { throw Failure(.software, "TurboJPEG: \(String(cString: tjGetErrorStr2(handle)))") }
        return [UInt8](UnsafeBufferPointer(start: encoded, count: Int(size)))
    }

    /// Encodes `image`.
    public static func encode(_ image: Image, quality: Int) throws -> [UInt8] {
        try image.pixels.withUnsafeBufferPointer { try encode($0, width: image.width, height: image.height, quality: quality) }
    }
}

/// Decodes one JPEG after the other, with TurboJPEG's working memory kept. One for each worker.
public final class JPEGDecoder {
    private var handle: tjhandle

    public init() throws {
        guard let handle = tjInitDecompress() else { throw Failure(.software, "TurboJPEG does not start") }
        self.handle = handle
    }

    deinit { tjDestroy(handle) }

    /// Decodes `jpeg` into `canvas`.
    ///
    /// - Throws: a ``Failure`` of kind `data`, without path.
    public func decode(_ jpeg: UnsafeRawBufferPointer, into canvas: Canvas) throws {
        guard let start = jpeg.baseAddress?.assumingMemoryBound(to: UInt8.self), jpeg.count >= 4, start[0] == 0xFF, start[1] == 0xD8 else {
            throw Failure(.data, jpeg.isEmpty ? "is empty" : "is not a JPEG picture: it does not begin with FF D8")
        }
        var width: Int32 = 0, height: Int32 = 0, subsampling: Int32 = -1, space: Int32 = -1
        // Its status is nothing to go by: a warning and an unusual subsampling are errors to it, yet it has read the size
        // by then and can decode the picture. What is wrong with a picture that has a size is for the decoder to find.
        _ = tjDecompressHeader3(handle, start, UInt(jpeg.count), &width, &height, &subsampling, &space)
        guard width > 0, height > 0, space >= 0 else { throw failure() }
        guard Int(width) * Int(height) <= JPEG.maximumPixels else {
            throw Failure(.data, "has \(width)×\(height) pixels, above the limit of \(JPEG.maximumPixels / 1_000_000) million")
        }
        let isCMYK = space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue)
        canvas.reshape(width: Int(width), height: Int(height))
        let format = isCMYK ? TJPF_CMYK.rawValue : TJPF_RGBX.rawValue
        let flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS
        if tjDecompress2(handle, start, UInt(jpeg.count), canvas.bytes, width, 0, height, Int32(format), flags) != 0 {
            guard isHarmless(jpeg) else { throw failure() }
        }
        if isCMYK { convertCMYK(canvas) }
    }

    /// What TurboJPEG found wrong.
    ///
    /// It leaves off in the middle of a broken header and would take the next picture for its rest, so that one is begun anew.
    private func failure() -> Failure {
        var text = String(cString: tjGetErrorStr2(handle))
        // "tjDecompress2(): …" names a function that the user has not called.
        if let colon = text.firstRange(of: "(): ") { text = String(text[colon.upperBound...]) }
        if let fresh = tjInitDecompress() {
            tjDestroy(handle)
            handle = fresh
        }
        return Failure(.data, "cannot be decoded: \(text)")
    }

    /// Whether the decoder only stumbled over bytes between two segments, which costs no pixel.
    ///
    /// All other warnings (early end, bad Huffman code …) mean that part of the picture is made up.
    /// TurboJPEG keeps the first warning alone, so the end of the picture must be there as well.
    private func isHarmless(_ jpeg: UnsafeRawBufferPointer) -> Bool {
        guard tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue) else { return false }
        guard String(cString: tjGetErrorStr2(handle)).contains("extraneous bytes before marker") else { return false }
        let tail = jpeg.suffix(4096)
        return zip(tail, tail.dropFirst()).contains { $0 == 0xFF && $1 == 0xD9 }
    }

    /// CMYK to RGB as Pillow does it. JPEG files hold Adobe's inverted inks: 255 is none.
    private func convertCMYK(_ canvas: Canvas) {
        let bytes = canvas.bytes
        for pixel in 0..<canvas.width * canvas.height {
            let light = Int(bytes[4 * pixel + 3])
            for channel in 0..<3 {
                let product = (255 - Int(bytes[4 * pixel + channel])) * light + 128
                bytes[4 * pixel + channel] = UInt8(light - ((product >> 8) + product) >> 8)
            }
        }
    }
}

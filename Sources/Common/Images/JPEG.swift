import CTurboJPEG
import ToolSupport

/// JPEG images: decoded by libjpeg, encoded by TurboJPEG.
///
/// Decoding gives the same bytes as Pillow (`Image.open(f).convert("RGB")`): accurate inverse DCT, smooth upsampling of
/// the chroma, grey replicated to three channels, CMYK and YCCK as Adobe writes them. An image counts as broken exactly
/// where Pillow rejects it: see ``JPEGDecoder``.
public enum JPEG {
    /// The maximum number of pixels of an image (716 MB decoded), as in Pillow, which treats larger ones as
    /// decompression bombs.
    public static let maximumPixels = 178_956_970

    /// Decodes one image.
    ///
    /// - Throws: a ``Failure`` of kind `data`, without path, if it is not a JPEG, is truncated or damaged, or is too
    ///   large.
    public static func decode(_ bytes: [UInt8]) throws -> Image {
        let canvas = Canvas()
        try bytes.withUnsafeBytes { try JPEGDecoder().decode($0, into: canvas) }
        return canvas.image
    }

    /// Encodes `rgb`, height · width · 3 bytes, with chroma at half the resolution (4:2:0), as cameras do.
    ///
    /// - Parameter quality: 1 to 100.
    public static func encode(_ rgb: UnsafeBufferPointer<UInt8>, width: Int, height: Int, quality: Int) throws -> [UInt8] {
        precondition(width > 0 && height > 0 && rgb.count == width * height * 3 && (1...100).contains(quality))
        guard width <= 65500, height <= 65500 else {
            throw Failure(.data, "an image of \(width)×\(height) pixels; JPEG holds at most 65500 per side")
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

import CJPEG
import ToolSupport

/// Decodes JPEGs with the same pixels as Pillow, and with an error where Pillow has one.
///
/// Pillow ignores what libjpeg only warns about (unknown revisions and transforms, stray bytes, odd scan headers, an
/// early end marker) and rejects data that ends before the last pixel, with `LOAD_TRUNCATED_IMAGES` off. There are two
/// exceptions: here an image with more than 500 scans is broken, and so is lossless JPEG (SOF3), which only
/// libjpeg-turbo 3 supports.
///
/// Bytes are read 64 KiB at a time, so that memory depends only on the image. Use one decoder per worker.
public final class JPEGDecoder {
    private let handle: OpaquePointer

    public init() throws {
        guard let handle = seed_jpeg_create() else { throw Failure(.io, "there is no memory for a JPEG decoder") }
        self.handle = handle
    }

    deinit { seed_jpeg_destroy(handle) }

    /// Decodes a JPEG in memory into `canvas`.
    ///
    /// - Throws: a ``Failure``, without path: `data` for a broken image, `io` when memory is short.
    public func decode(_ jpeg: UnsafeRawBufferPointer, into canvas: Canvas) throws {
        try decode(into: canvas) { buffer, offset in
            let count = max(0, min(buffer.count, jpeg.count - offset))
            if count > 0 { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: jpeg[offset..<offset + count])) }
            return count
        }
    }

    /// Decodes the JPEG whose bytes `read` supplies into `canvas`.
    ///
    /// - Throws: a ``Failure``, without path, as above, and the errors of `read`.
    public func decode(into canvas: Canvas, read: JPEGHeader.Read) throws {
        try withoutActuallyEscaping(read) { read in
            let header = try JPEGHeader(read: read)
            let feed = Feed(read)
            defer { seed_jpeg_finish(handle) }
            var (width, height, components): (UInt32, UInt32, Int32) = (0, 0, 0)
            try check(seed_jpeg_start(handle, Feed.read, Unmanaged.passUnretained(feed).toOpaque(), &width, &height, &components), feed, header)
            guard Int(width) == header.width, Int(height) == header.height, Int(components) == header.components else {
                throw Failure(.data, "cannot be decoded: it has two frame headers")
            }
            try canvas.reshape(width: header.width, height: header.height)
            try check(seed_jpeg_decode(handle, canvas.bytes), feed, header)
            if header.components == 4 { convertCMYK(canvas) }
            withExtendedLifetime(feed) {}
        }
    }

    /// The source of libjpeg's bytes, and the error that occurred there.
    private final class Feed {
        let source: JPEGHeader.Read
        var failure: (any Error)?

        init(_ source: @escaping JPEGHeader.Read) { self.source = source }

        static let read: seed_jpeg_read = { context, buffer, count, offset in
            guard let context else { return -1 }
            let feed = Unmanaged<Feed>.fromOpaque(context).takeUnretainedValue()
            do {
                return try feed.source(UnsafeMutableRawBufferPointer(start: buffer, count: count), offset)
            } catch {
                feed.failure = error
                return -1
            }
        }
    }

    private func check(_ status: seed_jpeg_status, _ feed: Feed, _ header: JPEGHeader) throws {
        switch status {
        case SEED_JPEG_DONE: return
        case SEED_JPEG_TRUNCATED: throw Failure(.data, "cannot be decoded: it ends before its last pixel")
        case SEED_JPEG_NO_MEMORY: throw Failure(.io, "there is no memory to decode \(header.width)×\(header.height) pixels")
        case SEED_JPEG_UNREADABLE: throw feed.failure ?? Failure(.io, "cannot be read")
        default: throw Failure(.data, "cannot be decoded: \(String(cString: seed_jpeg_message(handle)))")
        }
    }

    /// Converts CMYK to RGB like Pillow. JPEG files hold Adobe's inverted inks: 255 is no ink.
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

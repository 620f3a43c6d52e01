/// Renders views of images. Use one instance per worker: it keeps its working memory, about 10 bytes for every pixel of
/// the largest image so far.
public final class ViewRenderer {
    /// The image that views are made of: fill it with ``decode(_:)`` or `load`.
    public let source = Canvas()
    private var canvas = Canvas()
    /// The second buffer of operations that cannot work in place on ``canvas``.
    private var other = Canvas()
    private let resampler = Resampler()
    private let blur = GaussianBlur()
    private let decoder: JPEGDecoder

    public init() throws { decoder = try JPEGDecoder() }

    /// Decodes `jpeg` into ``source``.
    ///
    /// - Throws: a ``Failure``, without path: `data` for a broken image, `io` when memory is short.
    public func decode(_ jpeg: UnsafeRawBufferPointer) throws { try decoder.decode(jpeg, into: source) }

    /// Decodes the JPEG whose bytes `read` supplies into ``source``.
    public func decode(read: JPEGHeader.Read) throws { try decoder.decode(into: source, read: read) }

    /// Renders `view` of ``source`` into `target`: window height · width · 3 bytes, RGB.
    ///
    /// - Throws: a ``Failure`` of kind `io` when memory is short.
    public func render(_ view: View, into target: UnsafeMutableBufferPointer<UInt8>) throws {
        precondition(target.count == view.window.width * view.window.height * 3)
        try resampler.resize(
            source, crop: view.crop, width: view.width, height: view.height, window: view.window, filter: view.filter, into: canvas)
        // Per-pixel operations are collected and applied in one pass. A flip is deferred to the end, where it is free,
        // because it commutes with all symmetric operations.
        var colours: [ColourOperation] = [], isFlipped = false
        for operation in view.operations {
            if case .colour(let change) = operation {
                colours.append(change)
                continue
            }
            if operation == .flip {
                isFlipped.toggle()
                continue
            }
            canvas.apply(colours)
            colours.removeAll(keepingCapacity: true)
            if isFlipped, !operation.commutesWithFlip {
                canvas.flip()
                isFlipped = false
            }
            switch operation {
            case .blur(let sigma): try blur.apply(sigma: sigma, to: canvas)
            case .sharpness(let factor): try canvas.sharpen(factor, scratch: other)
            case .affine(let movement):
                try canvas.move(movement, into: other)
                swap(&canvas, &other)
            case .colour, .flip: break
            }
        }
        canvas.apply(colours)
        canvas.copy(into: target, flipped: isFlipped)
    }
}

extension Canvas {
    /// Writes the pixels as RGB, three bytes each, mirrored horizontally if `flipped`.
    func copy(into target: UnsafeMutableBufferPointer<UInt8>, flipped: Bool) {
        guard let start = target.baseAddress else { return }
        let out = UnsafeMutableRawPointer(start)
        let pixels = UnsafeRawPointer(bytes)
        let step = flipped ? -4 : 4
        for row in 0..<height {
            var pixel = pixels + 4 * (width * row + (flipped ? width - 1 : 0))
            var place = out + 3 * width * row
            // Each store writes four bytes, and the next pixel overwrites the fourth; after the very last pixel there
            // is no space for it.
            let whole = row == height - 1 ? width - 1 : width
            for _ in 0..<whole {
                place.storeBytes(of: pixel.load(as: UInt32.self), as: UInt32.self)
                pixel += step
                place += 3
            }
            if whole < width {
                for channel in 0..<3 { place.storeBytes(of: pixel.load(fromByteOffset: channel, as: UInt8.self), toByteOffset: channel, as: UInt8.self) }
            }
        }
    }
}

/// Makes views of images. One for each worker: it keeps all the memory it works in, about 10 bytes for every
/// pixel of the largest image met.
public final class ViewRenderer {
    /// The image that views are made of: ``decode(_:)`` or `load` it.
    public let source = Canvas()
    private var canvas = Canvas()
    /// What an operation reads or writes beside ``canvas``.
    private var other = Canvas()
    private let resampler = Resampler()
    private let blur = GaussianBlur()
    private let decoder: JPEGDecoder

    public init() throws { decoder = try JPEGDecoder() }

    /// Decodes `jpeg` into ``source``.
    ///
    /// - Throws: a ``Failure``, without path: `data` for a broken image, `io` when memory is short.
    public func decode(_ jpeg: UnsafeRawBufferPointer) throws { try decoder.decode(jpeg, into: source) }

    /// Decodes the JPEG whose bytes `read` gives into ``source``.
    public func decode(read: JPEGHeader.Read) throws { try decoder.decode(into: source, read: read) }

    /// Renders `view` of ``source`` into `target`: window height · width · 3 bytes, RGB.
    ///
    /// - Throws: a ``Failure`` of kind `io` when memory is short.
    public func render(_ view: View, into target: UnsafeMutableBufferPointer<UInt8>) throws {
        precondition(target.count == view.window.width * view.window.height * 3)
        try resampler.resize(
            source, crop: view.crop, width: view.width, height: view.height, window: view.window, filter: view.filter, into: canvas)
        // Operations of single pixels wait for each other, to be done in one pass. A flip waits for the end, where it costs nothing: it changes
        // places with all operations that are symmetric.
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
    /// Writes the pixels as RGB, three bytes each, left and right exchanged if `flipped`.
    func copy(into target: UnsafeMutableBufferPointer<UInt8>, flipped: Bool) {
        guard let start = target.baseAddress else { return }
        let out = UnsafeMutableRawPointer(start)
        let pixels = UnsafeRawPointer(bytes)
        let step = flipped ? -4 : 4
        for row in 0..<height {
            var pixel = pixels + 4 * (width * row + (flipped ? width - 1 : 0))
            var place = out + 3 * width * row
            // Four bytes are written, the fourth of which the next pixel overwrites; the last of all has no room for it.
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

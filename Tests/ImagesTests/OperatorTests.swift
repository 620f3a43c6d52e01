import Images
import TensorStreams
import TestSupport
import Testing

struct OperatorTests {
    let golden: Golden
    init() throws { golden = try Golden.images() }

    @Test func `resizing gives Pillow's bytes, larger and smaller, rows first and columns first`() throws {
        let source = try Canvas(golden.photo), target = Canvas(), resampler = Resampler()
        let names = golden.names("resize.")
        #expect(names.count == 16)
        for name in names {
            let parameters = try golden.parameters(name)
            let crop = try #require(parameters["crop"]?.asBox)
            let size = try #require(parameters["size"]?.asArray).compactMap(\.asInteger)
            try resampler.resize(source, crop: crop, width: size[0], height: size[1], into: target)
            #expect(difference(target.image, try golden.image(name)) == nil, "\(name)")
        }
    }

    @Test func `a window of a resized image has the bytes of the whole`() throws {
        let source = try Canvas(golden.photo), whole = Canvas(), part = Canvas(), resampler = Resampler()
        let crop = CropBox(left: 2, top: 1, width: 50, height: 46)
        for (width, height) in [(40, 30), (45, 20), (100, 90)] {
            try resampler.resize(source, crop: crop, width: width, height: height, into: whole)
            let window = CropBox(left: 7, top: 9, width: 31, height: 11)
            try resampler.resize(source, crop: crop, width: width, height: height, window: window, into: part)
            let all = whole.image.pixels
            let expected = (0..<window.height).flatMap { row in
                let start = 3 * ((window.top + row) * width + window.left)
                return all[start..<start + 3 * window.width]
            }
            #expect(part.image.pixels == expected, "\(width)×\(height)")
        }
    }

    @Test func `colours change as torchvision changes them, alone and one after the other`() throws {
        let names = golden.names("colour.")
        #expect(names.count == 33)
        for name in names {
            let steps = try #require(golden.parameters(name)["steps"])
            let canvas = try Canvas(golden.image("colours"))
            canvas.apply(try #require(steps.asColours))
            #expect(difference(canvas.image, try golden.image(name)) == nil, "\(steps.text)")
        }
    }

    @Test(arguments: [("hue 0", ColourOperation.hue(0)), ("hue 0.07", .hue(0.07)), ("saturation 1.3", .saturation(1.3)), ("grey", .grey)])
    func `every one of 2²⁴ colours changes as in Pillow`(_ name: String, _ operation: ColourOperation) throws {
        var pixels = [UInt8]()
        pixels.reserveCapacity(3 << 24)
        for colour in 0..<1 << 24 {
            pixels.append(UInt8(truncatingIfNeeded: colour))
            pixels.append(UInt8(truncatingIfNeeded: colour >> 8))
            pixels.append(UInt8(truncatingIfNeeded: colour >> 16))
        }
        let canvas = try Canvas(Image(width: 4096, height: 4096, pixels: pixels))
        canvas.apply([operation])
        #expect(try checksum(canvas.image.pixels) == golden.text("every \(name)"))
    }

    /// zlib's CRC-32.
    private func checksum(_ bytes: [UInt8]) -> String {
        let table = (0..<256).map { byte -> UInt32 in
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
            return value
        }
        var crc = UInt32.max
        for byte in bytes { crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ crc >> 8 }
        return "\(~crc)"
    }

    @Test func `blurring gives Pillow's bytes, also of images smaller than the box`() throws {
        let blur = GaussianBlur()
        let names = golden.names("blur.")
        #expect(names.count == 29)
        for name in names {
            let parameters = try golden.parameters(name)
            let size = try #require(parameters["size"]?.asArray).compactMap(\.asInteger)
            let source = try golden.image("colours")
            let pixels = (0..<size[1]).flatMap { row -> ArraySlice<UInt8> in
                let start = 3 * source.width * row
                return source.pixels[start..<start + 3 * size[0]]
            }
            let canvas = try Canvas(Image(width: size[0], height: size[1], pixels: pixels))
            try blur.apply(sigma: try #require(parameters["sigma"]?.asNumber), to: canvas)
            #expect(difference(canvas.image, try golden.image(name)) == nil, "\(name)")
        }
    }

    @Test func `a canvas that has held a larger image works as a new one`() throws {
        let (small, large) = (try golden.image("colours"), try golden.photo)
        let used = try Canvas(large), blur = GaussianBlur()
        used.apply([.grey])
        try blur.apply(sigma: 2, to: used)
        try used.load(small)
        let fresh = try Canvas(small)
        for canvas in [used, fresh] { canvas.apply([.contrast(1.3), .hue(0.1)]) }
        try blur.apply(sigma: 0.7, to: used)
        try GaussianBlur().apply(sigma: 0.7, to: fresh)
        #expect(used.image == fresh.image)
    }
}

import Images
import TestSupport
import Testing
import ToolSupport

struct JPEGTests {
    let golden: Golden
    init() throws { golden = try Golden.images() }

    @Test func `decoding gives Pillow's bytes: every subsampling, progressive, grey, CMYK, YCCK, a single pixel`() throws {
        let files = golden.names("jpeg.").filter { $0.hasSuffix(".file") }
        #expect(files.count == 10)
        for file in files {
            let image = try JPEG.decode(golden.bytes(file))
            #expect(difference(image, try golden.image(file.replacing(".file", with: ".pixels"))) == nil, "\(file)")
        }
    }

    @Test func `an image cut anywhere is broken`() throws {
        let file = try golden.bytes("jpeg.420.file")
        for count in stride(from: 0, to: file.count - 2, by: 7) {
            let failure = #expect(throws: Failure.self, "cut at \(count)") { try JPEG.decode(Array(file[..<count])) }
            #expect(failure?.kind == .data)
        }
    }

    @Test func `a broken image does not spoil the next one`() throws {
        let file = try golden.bytes("jpeg.420.file"), expected = try JPEG.decode(file)
        let decoder = try JPEGDecoder(), canvas = Canvas()
        for count in stride(from: 4, to: file.count - 2, by: 7) {
            #expect(throws: Failure.self, "cut at \(count)") { try file[..<count].withUnsafeBytes { try decoder.decode($0, into: canvas) } }
            try file.withUnsafeBytes { try decoder.decode($0, into: canvas) }
            #expect(canvas.image == expected, "after one cut at \(count)")
        }
    }

    @Test func `an image with damaged data is broken or decoded, and nothing else happens`() throws {
        var broken = 0
        for name in ["jpeg.420.file", "jpeg.progressive.file", "jpeg.cmyk.file"] {
            let file = try golden.bytes(name)
            for place in stride(from: 2, to: file.count, by: 3) {
                var damaged = file
                damaged[place] ^= 0xFF
                do {
                    _ = try JPEG.decode(damaged)
                } catch let failure as Failure {
                    #expect(failure.kind == .data)
                    broken += 1
                }
            }
        }
        #expect(broken > 100)
    }

    @Test func `a header that promises too many pixels is not believed`() throws {
        var file = try golden.bytes("jpeg.420.file")
        let frame = try #require(file.indices.dropLast(9).first { file[$0] == 0xFF && file[$0 + 1] == 0xC0 })
        file.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0x00, 0xFF, 0x00])
        let failure = #expect(throws: Failure.self) { try JPEG.decode(file) }
        #expect(failure?.what == "has 65280×65280 pixels, above the limit of 178956970")
    }

    @Test func `what is no JPEG is said to be none`() throws {
        #expect(throws: Failure(.data, "is empty")) { try JPEG.decode([UInt8]()) }
        #expect(throws: Failure(.data, "is not a JPEG image: it does not begin with FF D8")) { try JPEG.decode(Array("\u{89}PNG\r\n".utf8)) }
    }

    @Test func `encoding and decoding again gives nearly the same image`() throws {
        let photo = try golden.photo
        let again = try JPEG.decode(JPEG.encode(photo, quality: 95))
        let distances = zip(photo.pixels, again.pixels).map { abs(Int($0) - Int($1)) }
        #expect(again.width == photo.width && again.height == photo.height)
        #expect(distances.reduce(0, +) < 8 * distances.count)
    }
}

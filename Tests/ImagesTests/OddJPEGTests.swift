import Foundation
import Images
import TestSupport
import Testing
import ToolSupport

/// Irregular JPEG files: decoding agrees with Pillow on acceptance and pixels.
struct OddJPEGTests {
    @Test func `every odd JPEG has the pixels that Pillow gives, and those that Pillow refuses are broken`() throws {
        let golden = try Golden("odd-jpegs.safetensors.zst")
        let files = golden.names("").filter { $0.hasSuffix(".file") }
        #expect(files.count == 110)
        #expect(try compare(golden) == [])
    }

    @Test func `one decoder for all odd JPEGs gives the same, one after the other`() throws {
        let golden = try Golden("odd-jpegs.safetensors.zst")
        let decoder = try JPEGDecoder(), canvas = Canvas()
        for file in golden.names("").filter({ $0.hasSuffix(".file") }) {
            let pixels = file.replacing(".file", with: ".pixels"), bytes = try golden.bytes(file)
            let isWhole = (try? bytes.withUnsafeBytes { try decoder.decode($0, into: canvas) }) != nil
            #expect(isWhole == golden.has(pixels), "\(file)")
            if isWhole { #expect(difference(canvas.image, try golden.image(pixels)) == nil, "\(file)") }
        }
    }

    @Test func `a header tells the size of every JPEG that can be decoded, and a file that has none is refused with a reason`() throws {
        let golden = try Golden("odd-jpegs.safetensors.zst")
        for file in golden.names("").filter({ $0.hasSuffix(".file") }) where golden.has(file.replacing(".file", with: ".pixels")) {
            let image = try golden.image(file.replacing(".file", with: ".pixels")), header = try JPEGHeader(golden.bytes(file))
            #expect(header.width == image.width && header.height == image.height, "\(file)")
        }
        let base = try golden.bytes("base.file")
        #expect(try JPEGHeader(base).components == 3 && JPEGHeader(golden.bytes("grey.file")).components == 1)
        for (bytes, words) in [
            ([], "is empty"), (Array("\u{89}PNG\r\n".utf8), "does not begin with FF D8"), ([0xFF, 0xD8, 0, 0], "is not followed by a marker"),
            (Array(base[..<100]), "ends before its first scan"), (try golden.bytes("12 bits.file"), "12 bits per colour"),
            (try golden.bytes("two components.file"), "2 colours"), (try golden.bytes("no height.file"), "its size is 48×0"),
            (try golden.bytes("bomb.file"), "has 13377×13378 pixels, above the limit of 178956970"), (try golden.bytes("no frame.file"), "no frame header"),
            (try golden.bytes("marker 02.file"), "FF 02 is not a marker"),
        ] as [([UInt8], String)] {
            let failure = #expect(throws: Failure.self) { try JPEGHeader(bytes) }
            #expect(failure?.kind == .data && failure?.what.contains(words) == true, "\(failure?.what ?? "none") for \(words)")
        }
    }

    /// At a frame header, Pillow 13 indexes byte 13 of the first sorted segment; it does so for no other segment and at
    /// no other time.
    @Test func `a short segment of a colour profile breaks a file only where Pillow looks at it`() throws {
        let base = try Golden("odd-jpegs.safetensors.zst").bytes("base.file")
        func segment(_ behind: [UInt8]) -> [UInt8] {
            let body = Array("ICC_PROFILE\0".utf8) + behind
            return [0xFF, 0xE2, 0, UInt8(body.count + 2)] + body
        }
        func with(_ segments: [[UInt8]]) -> [UInt8] { base[..<2] + segments.flatMap { segment($0) } + base[2...] }
        let frame = try #require(base.indices.first { base[$0] == 0xFF && base[$0 + 1] == 0xC0 }), end = frame + 2 + Int(base[frame + 2]) << 8 + Int(base[frame + 3])
        let whole = [with([[1, 1, 9, 9]]), with([[1, 2, 97], [2]]), with([[2], [1, 2, 97]]), with([[1, 0]]), base[..<end] + segment([]) + base[end...]]
        for file in whole { #expect(throws: Never.self) { try JPEGHeader(file) } }
        for file in [with([[]]), with([[1]]), with([[2, 2, 97], [1]]), with([[1], [2, 2, 97]]), with([[], [1, 2, 97]]), with([[1, 2], [1]])] {
            #expect(#expect(throws: Failure.self) { try JPEGHeader(file) }?.what.contains("ICC_PROFILE is cut short") == true)
        }
    }

    @Test func `a header is read without the bytes behind it, and not even those of its long segments`() throws {
        let base = try Golden("odd-jpegs.safetensors.zst").bytes("base.file")
        var file = Array(base[..<2])
        for _ in 0..<40 { file += [0xFF, 0xE1, 0xFF, 0xFF] + [UInt8](repeating: 7, count: 65533) }
        file += base[2...]
        var asked = 0
        let header = try JPEGHeader { buffer, offset in
            asked += buffer.count
            for place in 0..<min(buffer.count, file.count - offset) { buffer[place] = file[offset + place] }
            return max(0, min(buffer.count, file.count - offset))
        }
        #expect(header == (try JPEGHeader(base)) && asked < 600_000 && file.count > 2_600_000)
    }

    @Test func `what the source of the bytes throws is thrown, while the header is read and later`() throws {
        let base = try Golden("odd-jpegs.safetensors.zst").bytes("base.file")
        let decoder = try JPEGDecoder(), canvas = Canvas(), lost = Failure(.io, "the disk is gone")
        for end in [10, 700] {
            #expect(throws: lost) {
                try decoder.decode(into: canvas) { buffer, offset in
                    guard offset < end else { throw lost }
                    let count = min(buffer.count, end - offset)
                    for place in 0..<count { buffer[place] = base[offset + place] }
                    return count
                }
            }
        }
        try base.withUnsafeBytes { try decoder.decode($0, into: canvas) }
        #expect(difference(canvas.image, try JPEG.decode(base)) == nil)
    }

    /// Files from `odd_jpegs.py SEED COUNT`; SEED_JPEGS names them.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["SEED_JPEGS"] != nil, "SEED_JPEGS names no file of odd_jpegs.py"))
    func `changed JPEGs are those of Pillow`() throws {
        #expect(try compare(Golden(path: ProcessInfo.processInfo.environment["SEED_JPEGS"] ?? "")) == [])
    }

    /// The differences.
    private func compare(_ golden: Golden) throws -> [String] {
        var wrong: [String] = []
        for file in golden.names("").filter({ $0.hasSuffix(".file") }).sorted() {
            let pixels = file.replacing(".file", with: ".pixels")
            do {
                let image = try JPEG.decode(golden.bytes(file))
                if !golden.has(pixels) { wrong.append("\(file): Pillow refuses it") } else if let difference = difference(image, try golden.image(pixels)) {
                    wrong.append("\(file): \(difference)")
                }
            } catch let failure as Failure {
                if golden.has(pixels) { wrong.append("\(file): \(failure)") } else if failure.kind != .data { wrong.append("\(file): \(failure)") }
            }
        }
        return wrong
    }
}

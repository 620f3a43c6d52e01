import Foundation
import Images
import TestSupport
import Testing
import ToolSupport

/// JPEG files damaged at random places.
struct DamagedJPEGTests {
    @Test func `a damaged JPEG is an image or broken, and the decoder is as it was`() throws {
        let golden = try Golden("odd-jpegs.safetensors.zst")
        let names = golden.names("").filter { $0.hasSuffix(".file") && golden.has($0.replacing(".file", with: ".pixels")) }.sorted()
        let files = try names.map { try golden.bytes($0) }
        let decoder = try JPEGDecoder(), canvas = Canvas()
        let expected = try JPEG.decode(files[0])
        var tally = Tally(), broken = 0
        for round in 0..<Effort.rounds(3000, long: 200_000) {
            var random = Effort.random("jpeg", round: round)
            let number = Int.random(in: 0..<files.count, using: &random)
            var file = Data(files[number])
            for _ in 0..<Int.random(in: 1...3, using: &random) where !file.isEmpty {
                let damage = Damage.random(size: file.count, using: &random)
                file = damage.apply(to: file)
                tally.add("\(damage.kind)")
            }
            let bytes = [UInt8](file)
            // Frames of hundreds of millions of pixels are valid, but take long.
            if let header = try? JPEGHeader(bytes), header.width * header.height > 4_000_000 { continue }
            do {
                try bytes.withUnsafeBytes { try decoder.decode($0, into: canvas) }
                #expect(canvas.image.width > 0 && canvas.image.pixels.count == canvas.image.width * canvas.image.height * 3, "\(names[number]), \(Effort.place(round))")
            } catch {
                #expect((error as? Failure)?.kind == .data, "\(names[number]), \(Effort.place(round)): \(error)")
                broken += 1
            }
            guard round % 100 == 0 else { continue }
            try files[0].withUnsafeBytes { try decoder.decode($0, into: canvas) }
            #expect(canvas.image == expected, "\(Effort.place(round))")
        }
        #expect(broken > 100)
        Effort.report("damaged JPEGs: \(tally); \(broken) were broken")
    }
}

import Foundation
import Images
import TensorStreams
import TestSupport
import Testing

extension Workplace {
    /// Makes `images` small images of different sizes in `data/ant`, `data/bee` ….
    convenience init(images: Int) throws {
        try self.init()
        for number in 0..<images { try write(Data(try JPEG.encode(image(number), quality: 90)), to: name(number)) }
    }

    func name(_ number: Int) -> String { "data/\(["ant", "bee", "cat"][number % 3])/\(number).jpg" }

    func image(_ number: Int) -> Image {
        let (width, height) = (20 + number % 7, 31 - number % 5)
        let pixels = (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 / 3 % width * 9 + $0 / 3 / width * (5 + number) + $0 % 3 * 40) }
        return Image(width: width, height: height, pixels: pixels)
    }

    /// Runs the tool with `-o out` and reads its output.
    func stream(_ options: String) throws -> (header: StreamHeader, records: [TensorDocument]) {
        let result = try run("augment --data data --size 16 -o out \(options)")
        try #require(result.status == 0, "\(result.error)")
        return try read("out")
    }
}

extension [TensorDocument] {
    var indices: [Int] { get throws { try flatMap { try $0.tensor("index", .i64, shape: [nil]).integers() } } }
    var labels: [Int] { get throws { try flatMap { try $0.tensor("label", .i32, shape: [nil]).integers() } } }
    /// The bytes of every image's views, in stream order.
    var views: [[UInt8]] {
        get throws {
            try flatMap { record -> [[UInt8]] in
                let images = try record.tensor("images", .u8, shape: [nil, nil, nil, nil, 3])
                let length = images.byteCount / images.shape[0]
                let bytes = images.withBytes { [UInt8]($0) }
                return stride(from: 0, to: bytes.count, by: length).map { Array<UInt8>(bytes[$0..<$0 + length]) }
            }
        }
    }
}

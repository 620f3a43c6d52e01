import Foundation
import Images
import TensorStreams
import Testing

/// The images and numbers that a script in Tests/golden wrote, images.py where no other is named.
struct Golden {
    private let document: TensorDocument

    init(_ name: String = "images") throws {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        document = try DocumentFile.read(tests.appending(path: "golden/\(name).safetensors.zst").path)
    }

    init(path: String) throws { document = try DocumentFile.read(path) }

    func has(_ name: String) -> Bool { document.tensors[name] != nil }

    /// The names of tensors that begin so.
    func names(_ prefix: String) -> [String] { document.names.filter { $0.hasPrefix(prefix) } }

    func bytes(_ name: String) throws -> [UInt8] {
        let tensor = try #require(document.tensors[name])
        return tensor.withBytes { [UInt8]($0) }
    }

    func image(_ name: String) throws -> Image {
        let tensor = try #require(document.tensors[name])
        return Image(width: tensor.shape[1], height: tensor.shape[0], pixels: try bytes(name))
    }

    /// The image that most cases begin with.
    var photo: Image { get throws { try image("jpeg.420.pixels") } }

    func parameters(_ name: String) throws -> JSON {
        try JSON(parsing: Array(try #require(document.metadata[name]).utf8))
    }

    func text(_ name: String) throws -> String { try #require(document.metadata[name]) }
}

extension JSON {
    /// [["hue", 0.1], …]
    var asOperations: [ColourOperation]? {
        asArray?.compactMap { step in
            guard let parts = step.asArray, let kind = parts.first?.asString, let factor = parts.last?.asNumber else { return nil }
            return switch kind {
            case "brightness": .brightness(factor)
            case "contrast": .contrast(factor)
            case "saturation": .saturation(factor)
            case "hue": .hue(factor)
            default: .grey
            }
        }
    }

    /// [left, top, width, height]
    var asBox: CropBox? {
        guard let numbers = asArray?.compactMap(\.asInteger), numbers.count == 4 else { return nil }
        return CropBox(left: numbers[0], top: numbers[1], width: numbers[2], height: numbers[3])
    }
}

/// How far two images are apart, in words; nil if they are equal.
func difference(_ found: Image, _ expected: Image) -> String? {
    guard found.width == expected.width, found.height == expected.height else {
        return "\(found.width)×\(found.height) where \(expected.width)×\(expected.height) is expected"
    }
    let distances = zip(found.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
    let wrong = distances.count { $0 > 0 }
    return wrong == 0 ? nil : "\(wrong) of \(distances.count) bytes differ, by at most \(distances.max() ?? 0)"
}

/// `view` of `image`.
func rendered(_ view: View, of image: Image) throws -> Image {
    let renderer = try ViewRenderer()
    try renderer.source.load(image)
    var pixels = [UInt8](repeating: 0, count: view.window.width * view.window.height * 3)
    try pixels.withUnsafeMutableBufferPointer { try renderer.render(view, into: $0) }
    return Image(width: view.window.width, height: view.window.height, pixels: pixels)
}

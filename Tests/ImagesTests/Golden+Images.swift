import Images
import TensorStreams
import TestSupport
import Testing

extension Golden {
    /// The images and numbers written by images.py.
    static func images() throws -> Golden { try Golden("images.safetensors.zst") }
    /// The images and numbers written by operations.py.
    static func operations() throws -> Golden { try Golden("operations.safetensors.zst") }

    func image(_ name: String) throws -> Image {
        let shape = try shape(name)
        return Image(width: shape[1], height: shape[0], pixels: try bytes(name))
    }

    /// The image that most cases start from.
    var photo: Image { get throws { try image("jpeg.420.pixels") } }

    func parameters(_ name: String) throws -> JSON { try JSON(parsing: Array(try text(name).utf8)) }
}

extension JSON {
    /// [["hue", 0.1], …]
    var asColours: [ColourOperation]? {
        asOperations?.compactMap { if case .colour(let operation) = $0 { operation } else { nil } }
    }

    /// Like ``asColours``, with operations that are not colour changes.
    var asOperations: [ImageOperation]? {
        asArray?.compactMap { step in
            guard let parts = step.asArray, let kind = parts.first?.asString, let factor = parts.last?.asNumber else { return nil }
            return switch kind {
            case "brightness": .colour(.brightness(factor))
            case "contrast": .colour(.contrast(factor))
            case "saturation": .colour(.saturation(factor))
            case "hue": .colour(.hue(factor))
            case "grey": .colour(.grey)
            case "solarise": .colour(.solarise(factor))
            case "posterise": .colour(.posterise(Int(factor)))
            case "equalise": .colour(.equalise)
            case "autocontrast": .colour(.autocontrast)
            case "blur": .blur(factor)
            case "flip": .flip
            case "sharpness": .sharpness(factor)
            case "shearX": .affine(.shearX(factor))
            case "shearY": .affine(.shearY(factor))
            case "translateX": .affine(.translateX(Int(factor)))
            case "translateY": .affine(.translateY(Int(factor)))
            case "rotate": .affine(.rotate(factor))
            default: nil
            }
        }
    }

    /// [left, top, width, height]
    var asBox: CropBox? {
        guard let numbers = asArray?.compactMap(\.asInteger), numbers.count == 4 else { return nil }
        return CropBox(left: numbers[0], top: numbers[1], width: numbers[2], height: numbers[3])
    }
}

/// The difference of two images, in words; nil if they are equal.
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

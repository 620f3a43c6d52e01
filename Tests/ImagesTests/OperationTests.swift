import Images
import TensorStreams
import TestSupport
import Testing

struct OperationTests {
    let golden: Golden
    init() throws { golden = try Golden.operations() }

    private var photo: Image { get throws { try golden.image("source.photo") } }

    @Test func `resizing by cubics gives Pillow's bytes, larger and smaller, also of a line and of a pixel`() throws {
        let source = try Canvas(photo), target = Canvas(), resampler = Resampler()
        let names = golden.names("bicubic.")
        #expect(names.count == 16)
        for name in names {
            let parameters = try golden.parameters(name)
            let crop = try #require(parameters["crop"]?.asBox)
            let size = try #require(parameters["size"]?.asArray).compactMap(\.asInteger)
            try resampler.resize(source, crop: crop, width: size[0], height: size[1], filter: .bicubic, into: target)
            #expect(difference(target.image, try golden.image(name)) == nil, "\(name)")
        }
    }

    @Test func `the filters of one resampler do not mix`() throws {
        let source = try Canvas(photo), target = Canvas(), resampler = Resampler()
        var images: [Image] = []
        for filter in [ResamplingFilter.bilinear, .bicubic, .bilinear] {
            try resampler.resize(source, width: 20, height: 20, filter: filter, into: target)
            images.append(target.image)
        }
        #expect(images[0] == images[2] && images[0] != images[1])
    }

    @Test func `the evaluation view by cubics has torchvision's bytes`() throws {
        let image = try photo
        for size in [32, 7] {
            let view = Recipe.evaluationBicubic.view(width: image.width, height: image.height, size: size, seed: 0, epoch: 0, item: 0, view: 0)
            #expect(difference(try rendered(view, of: image), try golden.image("evaluation-bicubic.\(size)")) == nil, "\(size)")
        }
    }

    @Test func `operations have the bytes of Pillow and torchvision, alone and one after the other, on images of odd sizes`() throws {
        let names = golden.names("operation.")
        #expect(names.count > 150)
        for name in names {
            let parameters = try golden.parameters(name)
            let steps = try #require(parameters["steps"]), source = try #require(parameters["source"]?.asString)
            let image = try golden.image("source.\(source)")
            let operations = try #require(steps.asOperations)
            #expect(operations.count == steps.asArray?.count)
            let view = View(crop: CropBox(left: 0, top: 0, width: image.width, height: image.height), width: image.width, height: image.height, operations: operations)
            #expect(difference(try rendered(view, of: image), try golden.image(name)) == nil, "\(name): \(source), \(steps.text)")
        }
    }

    @Test func `a whole view by cubics has torchvision's bytes`() throws {
        let parameters = try golden.parameters("view")
        let view = View(
            crop: try #require(parameters["crop"]?.asBox), filter: .bicubic, width: 32, height: 32, operations: try #require(parameters["steps"]?.asOperations))
        #expect(difference(try rendered(view, of: photo), try golden.image("view")) == nil)
    }

    @Test func `a flip may stand anywhere among operations that are symmetric`() throws {
        let image = try photo
        let operations: [ImageOperation] = [.colour(.contrast(1.4)), .blur(0.9), .sharpness(1.8), .colour(.equalise), .colour(.solarise(100))]
        let views = try (0...operations.count).map { place in
            var all = operations
            all.insert(.flip, at: place)
            return try rendered(View(crop: CropBox(left: 3, top: 2, width: 40, height: 30), width: 31, height: 22, operations: all), of: image)
        }
        #expect(views.allSatisfy { $0 == views[0] })
    }

    @Test func `RandAugment's strengths are torchvision's to the last bit`() throws {
        let names: [RandAugment.Kind: String] = [
            .identity: "Identity", .shearX: "ShearX", .shearY: "ShearY", .translateX: "TranslateX", .translateY: "TranslateY", .rotate: "Rotate",
            .brightness: "Brightness", .colour: "Color", .contrast: "Contrast", .sharpness: "Sharpness", .posterise: "Posterize", .solarise: "Solarize",
            .autocontrast: "AutoContrast", .equalise: "Equalize",
        ]
        for entry in try #require(golden.parameters("strengths").asArray) {
            let width = try #require(entry["width"]?.asInteger), height = try #require(entry["height"]?.asInteger)
            for kind in RandAugment.Kind.allCases {
                let expected = try #require(entry["table"]?[names[kind] ?? ""]?.asArray).compactMap(\.asNumber)
                #expect((0..<RandAugment.bins).map { kind.strength($0, width: width, height: height) } == expected, "\(kind), \(width)×\(height)")
            }
        }
    }
}

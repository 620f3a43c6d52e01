import Images
import Randomness
import TensorStreams
import TestSupport
import Testing

struct ViewTests {
    let golden: Golden
    init() throws { golden = try Golden.images() }

    @Test func `a whole MoCo-v2 view has the bytes of torchvision with Pillow`() throws {
        let names = golden.names("view.")
        #expect(names.count == 4)
        for name in names {
            let parameters = try golden.parameters(name)
            var operations = try #require(parameters["steps"]?.asOperations)
            if let sigma = parameters["sigma"]?.asNumber { operations.append(.blur(sigma)) }
            if parameters["flip"]?.asBool == true { operations.append(.flip) }
            let view = View(crop: try #require(parameters["crop"]?.asBox), width: 32, height: 32, operations: operations)
            #expect(difference(try rendered(view, of: golden.photo), try golden.image(name)) == nil, "\(name)")
        }
    }

    @Test func `the evaluation view has torchvision's bytes, also of a single pixel and of a line`() throws {
        let names = golden.names("evaluation.")
        #expect(names.count == 5)
        for name in names {
            let parameters = try golden.parameters(name)
            let image = try golden.image("jpeg.\(try #require(parameters["file"]?.asString)).pixels")
            let size = try #require(parameters["size"]?.asInteger)
            let view = Recipe.evaluation.view(width: image.width, height: image.height, size: size, seed: 0, epoch: 0, item: 0, view: 0)
            #expect(difference(try rendered(view, of: image), try golden.image(name)) == nil, "\(name)")
        }
    }

    @Test func `the evaluation view resizes to 256 for 224 and to 73 for 64`() {
        func resized(_ size: Int) -> Int { Recipe.evaluation.view(width: 500, height: 375, size: size, seed: 0, epoch: 0, item: 0, view: 0).height }
        #expect(resized(224) == 256)
        #expect(resized(64) == 73)
    }

    @Test func `where no random crop fits, the middle is torchvision's`() throws {
        let rows = try #require(golden.parameters("middles").asArray)
        #expect(rows.count == 8)
        for row in rows {
            let numbers = try #require(row.asArray).compactMap(\.asInteger)
            var random = CounterRandom(seed: 1, .test)
            let crop = CropBox.random(width: numbers[0], height: numbers[1], scale: 4...4, using: &random)
            #expect(crop == CropBox(left: numbers[2], top: numbers[3], width: numbers[4], height: numbers[5]))
        }
    }

    /// If only one end of an output's support is rounded to an integer, the output has one input more than usual: 24 to
    /// 88 has such an output. A buffer that is one input too short would be overrun, which `make sanitize` detects.
    @Test func `an image of one colour keeps it, from any size to any size`() throws {
        let colour: [UInt8] = [200, 100, 7]
        for side in 1...64 {
            let image = Image(width: side, height: 2, pixels: (0..<2 * side).flatMap { _ in colour }), crop = CropBox(left: 0, top: 0, width: side, height: 2)
            for width in 1...130 {
                for filter in ResamplingFilter.allCases {
                    let made = try rendered(View(crop: crop, filter: filter, width: width, height: 1), of: image)
                    let isSame = made.pixels == (0..<width).flatMap { _ in colour }
                    if !isSame { Issue.record("\(side) to \(width), \(filter)") }
                }
            }
        }
    }

    @Test func `a line of pixels still has a middle`() {
        let crop = CropBox.middle(width: 1, height: 1000, ratio: 3...4)
        #expect(crop == CropBox(left: 0, top: 499, width: 1, height: 1))
    }

    @Test func `a random crop lies inside, and its area and ratio are within bounds and spread over them`() {
        var shares: [Double] = [], ratios: [Double] = []
        for item in 0..<2000 {
            var random = CounterRandom(seed: 3, .test, item: item)
            let crop = CropBox.random(width: 500, height: 375, scale: 0.2...1, using: &random)
            #expect(crop.left >= 0 && crop.top >= 0 && crop.left + crop.width <= 500 && crop.top + crop.height <= 375)
            shares.append(Double(crop.width * crop.height) / (500 * 375))
            ratios.append(Double(crop.width) / Double(crop.height))
        }
        #expect(shares.allSatisfy { (0.19...1).contains($0) } && ratios.allSatisfy { (0.74...1.35).contains($0) })
        #expect(shares.count { $0 < 0.3 } > 150 && shares.count { $0 > 0.85 } > 60)
        #expect(ratios.count { $0 < 0.85 } > 200 && ratios.count { $0 > 1.2 } > 300)
    }

    @Test func `the recipe's choices come as often as MoCo v2 has them`() {
        let views = (0..<4000).map { MoCoView(Recipe.mocoV2.view(width: 500, height: 375, size: 224, seed: 5, epoch: 2, item: $0, view: 0)) }
        func share(_ chosen: (MoCoView) -> Bool) -> Double { Double(views.count(where: chosen)) / Double(views.count) }
        #expect(abs(share { $0.colours.count >= 4 } - 0.8) < 0.03)
        #expect(abs(share { $0.colours.last == .grey } - 0.2) < 0.03)
        #expect(abs(share { $0.blur != nil } - 0.5) < 0.03)
        #expect(abs(share { $0.flip } - 0.5) < 0.03)
        #expect(views.allSatisfy { (0.1...2).contains($0.blur ?? 1) })
        for view in views {
            for change in view.colours {
                switch change {
                case .brightness(let factor), .contrast(let factor), .saturation(let factor): #expect((0.6...1.4).contains(factor))
                case .hue(let factor): #expect((-0.1...0.1).contains(factor))
                case .grey: #expect(view.colours.last == .grey)
                default: Issue.record("\(change)")
                }
            }
        }
        // Each of the four may come first.
        let firsts = Set(views.filter { $0.colours.count >= 4 }.map { view in
            switch view.colours[0] {
            case .brightness: 0
            case .contrast: 1
            case .saturation: 2
            case .hue: 3
            default: 4
            }
        })
        #expect(firsts == [0, 1, 2, 3])
    }

    @Test func `a view is a function of seed, epoch, image and view number, and of nothing else`() {
        func view(_ seed: UInt64, _ epoch: Int, _ item: Int, _ number: Int) -> View {
            Recipe.mocoV2.view(width: 300, height: 200, size: 96, seed: seed, epoch: epoch, item: item, view: number)
        }
        let one = view(1, 2, 3, 0)
        #expect(one == view(1, 2, 3, 0))
        for other in [view(2, 2, 3, 0), view(1, 3, 3, 0), view(1, 2, 4, 0), view(1, 2, 3, 1)] { #expect(other != one) }
    }
}

/// A view of MoCo v2 by its parts: colours, blur, flip.
private struct MoCoView {
    let colours: [ColourOperation]
    let blur: Double?
    let flip: Bool

    init(_ view: View) {
        colours = view.operations.compactMap { if case .colour(let operation) = $0 { operation } else { nil } }
        blur = view.operations.compactMap { if case .blur(let sigma) = $0 { sigma } else { nil } }.first
        flip = view.operations.last == .flip
    }
}

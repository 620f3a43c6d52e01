import Images
import TensorStreams
import TestSupport
import Testing
import ToolSupport

struct RecipeTests {
    private static let draws = 6000

    private func views(_ recipe: Recipe, scale: ClosedRange<Double>? = nil, view: Int = 0) -> [View] {
        (0..<Self.draws).map { recipe.view(width: 500, height: 375, size: 96, scale: scale, seed: 11, epoch: 1, item: $0, view: view) }
    }

    /// The Kolmogorov–Smirnov distance between `values` and a distribution with the given quantiles at 0, 1 … 100 %.
    private func distance(_ values: [Double], _ quantiles: JSON?) throws -> Double {
        let quantiles = try #require(quantiles?.asArray).compactMap(\.asNumber), sorted = values.sorted()
        #expect(quantiles.count == 101)
        return quantiles.enumerated().map { percent, value in
            // Values that occur often, such as a left edge of 0, have a probability of their own.
            let below = Double(sorted.count { $0 < value }) / Double(sorted.count), upTo = Double(sorted.count { $0 <= value }) / Double(sorted.count)
            let expected = Double(percent) / 100
            return max(0, below - expected, expected - upTo)
        }.max() ?? 1
    }

    /// Fewer than one in ten thousand such samples exceed this: 2.23 · √(1/n + 1/m), and half a percent between
    /// quantiles.
    private let farthest = 2.23 * (1 / Double(RecipeTests.draws) + 1 / 20000).squareRoot() + 0.005

    @Test func `crops are drawn as torchvision draws them`() throws {
        let drawn = try Golden.operations().parameters("drawn")
        for scale in [0.08...1, 0.05...0.14] {
            let expected = try #require(drawn["crop \(scale.lowerBound)"])
            let crops = views(.linearTrain, scale: scale).map(\.crop)
            #expect(try distance(crops.map { Double($0.width * $0.height) / (500 * 375) }, expected["area"]) < farthest)
            #expect(try distance(crops.map { Double($0.width) / Double($0.height) }, expected["ratio"]) < farthest)
            #expect(try distance(crops.map { Double($0.left) }, expected["left"]) < farthest)
            #expect(try distance(crops.map { Double($0.top) }, expected["top"]) < farthest)
        }
    }

    @Test func `colours change as much, and in any order, as torchvision draws it`() throws {
        let drawn = try Golden.operations().parameters("drawn")
        var recipe = Recipe.swav
        try recipe.set("jitter.probability", "1")
        var factors: [String: [Double]] = [:], orders: [String: Int] = [:], sigmas: [Double] = []
        for view in views(recipe) {
            var order = ""
            for operation in view.operations {
                switch operation {
                case .colour(.brightness(let factor)): factors["brightness", default: []].append(factor); order += "0"
                case .colour(.contrast(let factor)): factors["contrast", default: []].append(factor); order += "1"
                case .colour(.saturation(let factor)): factors["saturation", default: []].append(factor); order += "2"
                case .colour(.hue(let turn)): factors["hue", default: []].append(turn); order += "3"
                case .blur(let sigma): sigmas.append(sigma)
                default: break
                }
            }
            orders[order, default: 0] += 1
        }
        for name in ["brightness", "contrast", "saturation", "hue"] {
            #expect(factors[name]?.count == Self.draws)
            #expect(try distance(factors[name] ?? [], drawn["jitter"]?[name]) < farthest, "\(name)")
        }
        #expect(sigmas.count > 2800 && sigmas.count < 3200)
        #expect(try distance(sigmas, drawn["sigma"]) < 1.5 * farthest)
        // χ² with 23 degrees of freedom exceeds 52 once in two thousand samples.
        let share = Double(Self.draws) / 24
        #expect(orders.count == 24 && drawn["jitter"]?["orders"]?.asObject?.count == 24)
        #expect(orders.values.reduce(0) { $0 + (Double($1) - share) * (Double($1) - share) / share } < 52)
    }

    @Test func `RandAugment takes each operation and each sign as often as torchvision`() throws {
        let expected = try #require(Golden.operations().parameters("drawn")["randaugment"])
        var recipe = Recipe.randAugment, counts: [String: Double] = [:]
        try recipe.set("flip.probability", "0")
        for view in views(recipe) {
            for operation in view.operations { counts["\(operation)".prefix { $0 != "-" && !$0.isNumber }.description + ("\(operation)".contains("-") ? "-" : ""), default: 0] += 1 }
        }
        // Fourteen operations, one of which does nothing; nine have a sign, which shows in the result of five of them.
        let all = Double(2 * Self.draws)
        #expect(abs(counts.values.reduce(0, +) / all - 13.0 / 14) < 0.01)
        for (kind, name) in [("ShearX", "shearX"), ("TranslateY", "translateY"), ("Rotate", "rotate")] {
            let share = try #require(expected[kind]?["share"]?.asNumber), negative = try #require(expected[kind]?["negative"]?.asNumber)
            let found = counts.filter { $0.key.contains(name) }, signed = found.filter { $0.key.hasSuffix("-") }
            #expect(abs(found.values.reduce(0, +) / all - share) < 0.012 && abs(signed.values.reduce(0, +) / all - negative) < 0.01, "\(kind)")
        }
        for name in ["equalise", "autocontrast", "posterise", "solarise"] {
            #expect(abs(counts.filter { $0.key.contains(name) }.values.reduce(0, +) / all - 1.0 / 14) < 0.012, "\(name)")
        }
    }

    @Test func `each step comes as often as its recipe says`() {
        func share(_ recipe: Recipe, _ view: Int, _ chosen: (ImageOperation) -> Bool) -> Double {
            Double(views(recipe, view: view).count { $0.operations.contains(where: chosen) }) / Double(Self.draws)
        }
        let isBlur = { (operation: ImageOperation) in if case .blur = operation { true } else { false } }
        let isHue = { (operation: ImageOperation) in if case .colour(.hue) = operation { true } else { false } }
        for recipe in [Recipe.byol, .barlowTwins, .dino] {
            #expect(share(recipe, 0, isBlur) == 1 && abs(share(recipe, 1, isBlur) - 0.1) < 0.02)
            #expect(share(recipe, 0) { $0 == .colour(.solarise(128)) } == 0 && abs(share(recipe, 1) { $0 == .colour(.solarise(128)) } - 0.2) < 0.02)
        }
        for view in [2, 3, 9] { #expect(abs(share(.dino, view, isBlur) - 0.5) < 0.03 && share(.dino, view) { $0 == .colour(.solarise(128)) } == 0) }
        #expect(share(.mocoV1, 0, isHue) == 1 && abs(share(.simSiam, 0, isHue) - 0.8) < 0.03 && share(.simRegWeak, 0, isHue) == 0)
        #expect(views(.dino, view: 2).allSatisfy { $0.crop.width * $0.crop.height < 500 * 375 * 42 / 100 })
        #expect(Recipe.all.filter { !$0.isRandom }.map(\.name) == ["evaluation", "evaluation-bicubic"])
        #expect(Set(Recipe.all.map(\.name)).count == 16 && share(.simRegWeakStrong, 0, isHue) == 0 && abs(share(.simRegWeakStrong, 1, isHue) - 0.8) < 0.03)
    }

    @Test func `a view of BYOL is cut where torchvision would draw again`() {
        let crops = (0..<3000).map { Recipe.byol.view(width: 400, height: 50, size: 32, seed: 2, epoch: 0, item: $0, view: 0).crop }
        #expect(crops.allSatisfy { $0.left >= 0 && $0.top >= 0 && $0.left + $0.width <= 400 && $0.top + $0.height <= 50 })
        #expect(crops.count { $0.height == 50 } > 1000)
    }

    @Test func `a change of strength 0 is left out, for a hue turned by 0 is not what it was`() throws {
        var recipe = Recipe.mocoV1
        try recipe.set("jitter.hue", "0")
        #expect(views(recipe).allSatisfy { !$0.operations.contains(.colour(.hue(0))) })
    }

    @Test func `parameters are set by name, of all views or of one, and others' numbers stay as they were`() throws {
        var recipe = Recipe.barlowTwins
        try recipe.set("filter", "bilinear")
        try recipe.set("crop.scale", "0.3,0.5")
        try recipe.set("2.blur.probability", "0.7")
        try recipe.set("blur.sigma", "1,1")
        #expect(recipe.filter == .bilinear && recipe.tables.allSatisfy { $0.crop.range("scale") == 0.3...0.5 })
        #expect(recipe.tables.map { $0.steps[3].number("probability") } == [1, 0.7] && recipe.tables.allSatisfy { $0.steps[3].range("sigma") == 1...1 })
        var other = Recipe.mocoV2
        try other.set("blur.probability", "0")
        for (found, expected) in zip(views(other), views(.mocoV2)) {
            #expect(found.crop == expected.crop && found.operations.prefix { $0 != .flip } == expected.operations.prefix { if case .blur = $0 { false } else { $0 != .flip } })
        }
    }

    @Test(arguments: [
        ("blur.sigma", "2,1", "two numbers from 0 to 64, the smaller first"), ("blur.sigma", "1", "two numbers"), ("blur.probability", "1.5", "0 to 1, found 1.5"),
        ("blur.probability", "nan", "0 to 1"), ("jitter.hue", "0.6", "0 to 0.5"), ("crop.scale", "0,1", "0.0001 to 1"), ("blur.probability", "x", "found 'x'"),
        ("blur.probability", "", "found ''"), ("filter", "nearest", "bilinear or bicubic"), ("blur.size", "1", "has no parameter 'blur.size'; it has filter, crop.scale"),
        ("3.blur.sigma", "1,1", "has no parameter"), ("0.blur.sigma", "1,1", "has no parameter"), ("blur", "1", "has no parameter"), (".", "1", "has no parameter"),
    ])
    func `a wrong name or value is refused with what there is`(_ path: String, _ value: String, _ words: String) throws {
        var recipe = Recipe.byol
        let failure = #expect(throws: Failure.self) { try recipe.set(path, value) }
        #expect(failure?.kind == .usage && failure?.description.contains(words) == true, "\(failure?.description ?? "")")
        #expect(recipe == .byol)
    }

    @Test func `whole numbers are whole`() throws {
        var recipe = Recipe.randAugment
        let failure = #expect(throws: Failure.self) { try recipe.set("randaugment.magnitude", "2.5") }
        #expect(failure?.description.contains("a whole number from 0 to 30, found 2.5") == true)
        try recipe.set("randaugment.magnitude", "30")
    }
}

struct CropGroupTests {
    private func groups(_ text: String) throws -> [CropGroup] {
        try CropGroup.groups(text, recipe: .swav) { name in
            guard let recipe = Recipe.named(name) else { throw Failure(.usage, "no recipe '\(name)'") }
            return recipe
        }
    }

    @Test func `groups are read from their text, which gives them again`() throws {
        let text = "2x224@0.14-1 6x96@0.05-0.14:swav-small 1x32"
        let found = try groups("  2x224@0.14-1.0   6x96@0.05-0.14:swav-small 1x32 ")
        #expect(found.map(\.text).joined(separator: " ") == text && found.map(\.firstView) == [0, 2, 8] && found.map(\.views) == [2, 6, 1])
        #expect(found[1].recipe == .swavSmall && found[2].recipe == .swav && found[2].scale == nil)
        #expect(found.map(\.bytes) == [2 * 224 * 224 * 3, 6 * 96 * 96 * 3, 32 * 32 * 3])
    }

    @Test func `views go on through the groups, and a recipe of a group's own begins anew`() throws {
        let both = try CropGroup.groups("2x32 3x16", recipe: .dino) { _ in .dino }
        let own = try CropGroup.groups("2x32 3x16:dino", recipe: .dino) { _ in .dino }
        let local = both[1].view(0, width: 300, height: 300, seed: 1, epoch: 0, item: 5), global = own[1].view(0, width: 300, height: 300, seed: 1, epoch: 0, item: 5)
        #expect(local == Recipe.dino.view(width: 300, height: 300, size: 16, seed: 1, epoch: 0, item: 5, view: 2))
        #expect(global == Recipe.dino.view(width: 300, height: 300, size: 16, table: 0, seed: 1, epoch: 0, item: 5, view: 2))
    }

    @Test(arguments: [
        ("", "found nothing"), ("2", "found '2'"), ("2x", "found '2x'"), ("x96", "found 'x96'"), ("2x96@", "found '2x96@'"), ("2x96@0.1", "found"), ("2x96@a-b", "found"),
        ("2x96@0-1", "0.0001 to 1"), ("2x96@0.5-0.1", "the smaller first"), ("2x96@0.5-2", "0.0001 to 1"), ("2x96@nan-1", "0.0001 to 1"), ("0x96", "1 to 64 views"),
        ("65x96", "1 to 64 views"), ("60x96 5x96", "after 60"), ("2x0", "sizes from 1 to 4096"), ("2x4097", "sizes from 1"), ("2x96:none", "no recipe 'none'"),
        ("2x99999999999999999999", "found"), ("-1x96", "1 to 64 views"), ("2x96x3", "found"), (Array(repeating: "1x8", count: 17).joined(separator: " "), "up to 16 groups, found 17"),
    ])
    func `what is no group is refused`(_ text: String, _ words: String) throws {
        let failure = #expect(throws: Failure.self) { try groups(text) }
        #expect(failure?.kind == .usage && failure?.description.contains(words) == true, "\(failure?.description ?? "")")
    }
}

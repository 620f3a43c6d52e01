import Randomness

/// How views are made of images: a filter, and for each view a crop and further steps.
public struct Recipe: Sendable, Equatable {
    /// How one view is made.
    public struct Table: Sendable, Equatable {
        /// A cropping step.
        public var crop: Step
        /// The steps after the crop, in order, each with its probability.
        public var steps: [Step]

        public init(_ crop: Step, _ steps: [Step] = []) {
            precondition(crop.kind.isCrop && !steps.contains { $0.kind.isCrop })
            (self.crop, self.steps) = (crop, steps)
        }
    }

    public var name: String
    public var filter: ResamplingFilter
    /// At least one. Table k makes view k of an image; the last table also makes all later views.
    public var tables: [Table]

    public init(_ name: String, filter: ResamplingFilter = .bilinear, _ tables: [Table]) {
        precondition(!tables.isEmpty)
        (self.name, self.filter, self.tables) = (name, filter, tables)
    }

    public init(_ name: String, filter: ResamplingFilter = .bilinear, _ crop: Step, _ steps: [Step] = []) {
        self.init(name, filter: filter, [Table(crop, steps)])
    }

    /// Whether a recipe's name is the path of a file rather than the name of a built-in recipe.
    public static func isFile(_ name: String) -> Bool { name.contains("/") || name.hasSuffix(".json") }

    /// The recipe that a group of crops names, as after the colon of `2x64@0.2-1:swav-small`; nil where it names none.
    public static func named(inGroup group: Substring) -> String? { group.split(separator: ":", maxSplits: 1).dropFirst().first.map(String.init) }

    /// Whether a view depends on random numbers.
    public var isRandom: Bool { tables.contains { $0.crop.kind != .centre || !$0.steps.isEmpty } }

    /// A view of an image: a pure function of its arguments.
    ///
    /// - Parameters:
    ///   - width: the width of the image.
    ///   - height: the height of the image.
    ///   - size: the width and height of the view.
    ///   - scale: the share of the image's area that a random crop covers; nil for the table's.
    ///   - table: the index in ``tables``; larger numbers mean the last one.
    ///   - item: the image's number in the data set.
    ///   - view: the view's number among all views of the image.
    public func view(
        width: Int, height: Int, size: Int, scale: ClosedRange<Double>? = nil, table: Int? = nil, seed: UInt64, epoch: Int, item: Int, view: Int
    ) -> View {
        precondition(size > 0)
        let table = tables[min(table ?? view, tables.count - 1)]
        // The view number goes into the item's upper bits, so that a single view equals the first of two.
        var random = CounterRandom(seed: seed, .augmentation, epoch: epoch, item: item | view << 40)
        var view = table.crop.view(width: width, height: height, size: size, scale: scale, using: &random)
        view.filter = filter
        for step in table.steps where random.uniform() < step.number("probability") { view.operations += step.draw(size: size, using: &random) }
        return view
    }
}

extension Recipe.Step {
    /// The crop, which is drawn first.
    fileprivate func view(width: Int, height: Int, size: Int, scale: ClosedRange<Double>?, using random: inout CounterRandom) -> View {
        switch kind {
        case .centre: return centre(width: width, height: height, size: size)
        case .clipped:
            let crop = CropBox.clipped(width: width, height: height, scale: scale ?? range("scale"), ratio: range("ratio"), using: &random)
            return View(crop: crop, width: size, height: size)
        default:
            let crop = CropBox.random(width: width, height: height, scale: scale ?? range("scale"), ratio: range("ratio"), using: &random)
            return View(crop: crop, width: size, height: size)
        }
    }

    /// torchvision's `Resize(size·256/224)` and `CenterCrop(size)`, with both divisions truncated: 256 for 224, 73 for
    /// 64.
    ///
    /// The resized image is never smaller than the crop, so there is no padding.
    private func centre(width: Int, height: Int, size: Int) -> View {
        let shorter = max(size, size * whole("resize") / whole("of"))
        let longer = Int(Double(shorter * max(width, height)) / Double(min(width, height)))
        let (w, h) = width <= height ? (shorter, longer) : (longer, shorter)
        // Half pixels are rounded to even, as in Python.
        let left = Int((Double(w - size) / 2).rounded(.toNearestOrEven))
        let top = Int((Double(h - size) / 2).rounded(.toNearestOrEven))
        return View(
            crop: CropBox(left: 0, top: 0, width: width, height: height), width: w, height: h,
            window: CropBox(left: left, top: top, width: size, height: size))
    }

    /// The operations of the step when it is applied; its probability is drawn before.
    fileprivate func draw(size: Int, using random: inout CounterRandom) -> [ImageOperation] {
        switch kind {
        case .flip: [.flip]
        case .jitter: jitter(&random)
        case .grey: [.colour(.grey)]
        case .blur: [.blur(random.uniform(range("sigma").lowerBound, range("sigma").upperBound))]
        case .solarise: [.colour(.solarise(number("threshold")))]
        case .posterise: [.colour(.posterise(whole("bits")))]
        case .equalise: [.colour(.equalise)]
        case .randAugment: RandAugment.draw(whole("count"), magnitude: whole("magnitude"), size: size, using: &random)
        case .randomResized, .clipped, .centre: []
        }
    }

    /// torchvision's `ColorJitter`: a random order, and a factor from 1 − x (at least 0) to 1 + x for each, except for
    /// the hue's rotation, −x to x. A strength of 0 omits the change, because even a rotation by 0 rounds.
    private func jitter(_ random: inout CounterRandom) -> [ImageOperation] {
        let order = random.permutation(4)
        func factor(_ name: String) -> Double { random.uniform(max(0, 1 - number(name)), 1 + number(name)) }
        let changes: [(String, ColourOperation)] = [
            ("brightness", .brightness(factor("brightness"))), ("contrast", .contrast(factor("contrast"))),
            ("saturation", .saturation(factor("saturation"))), ("hue", .hue(random.uniform(-number("hue"), number("hue")))),
        ]
        return order.compactMap { number(changes[$0].0) == 0 ? nil : .colour(changes[$0].1) }
    }
}

import Randomness

/// What is done to one image to make one view of it: all numbers drawn, nothing left to chance.
public struct View: Sendable, Equatable {
    /// The part of the image that is taken.
    public var crop: CropBox
    /// The size that part is resized to.
    public var width: Int
    public var height: Int
    /// What is kept of the resized part.
    public var window: CropBox
    public var colours: [ColourOperation]
    /// The blur's deviation in pixels; nil for none.
    public var blur: Double?
    /// Left and right change places.
    public var flip: Bool

    public init(
        crop: CropBox, width: Int, height: Int, window: CropBox? = nil, colours: [ColourOperation] = [], blur: Double? = nil, flip: Bool = false
    ) {
        self.crop = crop
        self.width = width
        self.height = height
        self.window = window ?? CropBox(left: 0, top: 0, width: width, height: height)
        self.colours = colours
        self.blur = blur
        self.flip = flip
    }
}

/// How views are made of images.
public struct Recipe: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// MoCo v2's, with which SEED distils too (Chen et al. 2020; SEED, section 4.1).
        case mocoV2 = "moco-v2"
        /// Shorter side to 256/224 of the size, then the middle.
        case evaluation
    }

    public var kind: Kind
    /// Width and height of a view.
    public var size: Int
    /// The share of the image's area that a random crop takes.
    public var cropScale: ClosedRange<Double>

    public init(_ kind: Kind, size: Int, cropScale: ClosedRange<Double> = 0.2...1) {
        precondition(size > 0)
        self.kind = kind
        self.size = size
        self.cropScale = cropScale
    }

    /// View number `view` of image `item` in `epoch`: a pure function of its arguments.
    ///
    /// - Parameters:
    ///   - width: of the image, as is `height`.
    ///   - item: the image's number in the data set.
    public func view(width: Int, height: Int, seed: UInt64, epoch: Int, item: Int, view: Int) -> View {
        switch kind {
        case .evaluation: return evaluationView(width: width, height: height)
        case .mocoV2:
            // The view takes the item's upper bits, so that one view is the first of two.
            var random = CounterRandom(seed: seed, .augmentation, epoch: epoch, item: item | view << 40)
            return mocoView(width: width, height: height, using: &random)
        }
    }

    /// Crop · jitter (p 0.8) · grey (p 0.2) · blur (p 0.5) · flip (p 0.5), drawn in this order.
    private func mocoView(width: Int, height: Int, using random: inout CounterRandom) -> View {
        let crop = CropBox.random(width: width, height: height, scale: cropScale, using: &random)
        var view = View(crop: crop, width: size, height: size)
        if random.uniform() < 0.8 {
            let order = random.permutation(4)
            let changes: [ColourOperation] = [
                .brightness(random.uniform(0.6, 1.4)), .contrast(random.uniform(0.6, 1.4)),
                .saturation(random.uniform(0.6, 1.4)), .hue(random.uniform(-0.1, 0.1)),
            ]
            view.colours = order.map { changes[$0] }
        }
        if random.uniform() < 0.2 { view.colours.append(.grey) }
        if random.uniform() < 0.5 { view.blur = random.uniform(0.1, 2) }
        view.flip = random.uniform() < 0.5
        return view
    }

    /// torchvision's `Resize(size·256/224)` and `CenterCrop(size)`, with both divisions truncated: 256 for 224, 73 for 64.
    ///
    /// The resized image is never smaller than the crop, so nothing is padded.
    private func evaluationView(width: Int, height: Int) -> View {
        let shorter = size * 256 / 224
        let longer = Int(Double(shorter * max(width, height)) / Double(min(width, height)))
        let (w, h) = width <= height ? (shorter, longer) : (longer, shorter)
        // Half a pixel goes to the even side, as Python rounds.
        let left = Int((Double(w - size) / 2).rounded(.toNearestOrEven))
        let top = Int((Double(h - size) / 2).rounded(.toNearestOrEven))
        return View(
            crop: CropBox(left: 0, top: 0, width: width, height: height), width: w, height: h,
            window: CropBox(left: left, top: top, width: size, height: size))
    }
}

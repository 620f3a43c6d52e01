import Randomness

/// RandAugment's operations and their strengths, as in torchvision (Cubuk et al., CVPR Workshops 2020;
/// `transforms.RandAugment`).
public enum RandAugment {
    /// The number of magnitudes, which start at 0.
    public static let bins = 31

    public enum Kind: Int, CaseIterable, Sendable {
        case identity, shearX, shearY, translateX, translateY, rotate, brightness, colour, contrast, sharpness, posterise, solarise, autocontrast, equalise

        /// Whether the sign of the strength is drawn at random.
        public var isSigned: Bool { (Kind.shearX.rawValue...Kind.sharpness.rawValue).contains(rawValue) }

        /// The strength at a magnitude (0..<``bins``) for an image of this size, before its sign.
        ///
        /// It matches `torch.linspace` in single precision.
        public func strength(_ magnitude: Int, width: Int, height: Int) -> Double {
            precondition((0..<RandAugment.bins).contains(magnitude))
            return switch self {
            case .identity, .autocontrast, .equalise: 0
            case .shearX, .shearY: Kind.linear(magnitude, 0, 0.3)
            case .translateX: Kind.linear(magnitude, 0, 150.0 / 331 * Double(width))
            case .translateY: Kind.linear(magnitude, 0, 150.0 / 331 * Double(height))
            case .rotate: Kind.linear(magnitude, 0, 30)
            case .brightness, .colour, .contrast, .sharpness: Kind.linear(magnitude, 0, 0.9)
            case .posterise: 8 - (Double(magnitude) / (Double(RandAugment.bins - 1) / 4)).rounded(.toNearestOrEven)
            case .solarise: Kind.linear(magnitude, 255, 0)
            }
        }

        private static func linear(_ index: Int, _ first: Double, _ last: Double) -> Double {
            let step = (Float(last) - Float(first)) / Float(RandAugment.bins - 1)
            // Counted from the nearer end.
            let isLow = index < RandAugment.bins / 2
            // One rounding, as in torch's fused loop.
            return Double(isLow ? Float(first).addingProduct(step, Float(index)) : Float(last).addingProduct(-step, Float(RandAugment.bins - 1 - index)))
        }

        /// The operation for a signed strength; nil for none.
        public func operation(_ strength: Double) -> ImageOperation? {
            switch self {
            case .identity: nil
            case .shearX: .affine(.shearX(strength))
            case .shearY: .affine(.shearY(strength))
            case .translateX: .affine(.translateX(Int(strength)))
            case .translateY: .affine(.translateY(Int(strength)))
            case .rotate: .affine(.rotate(strength))
            case .brightness: .colour(.brightness(1 + strength))
            case .colour: .colour(.saturation(1 + strength))
            case .contrast: .colour(.contrast(1 + strength))
            case .sharpness: .sharpness(1 + strength)
            case .posterise: .colour(.posterise(Int(strength)))
            case .solarise: .colour(.solarise(strength))
            case .autocontrast: .colour(.autocontrast)
            case .equalise: .colour(.equalise)
            }
        }
    }

    /// Draws `count` operations, each any of the fourteen, with a random sign.
    static func draw(_ count: Int, magnitude: Int, size: Int, using random: inout CounterRandom) -> [ImageOperation] {
        (0..<count).compactMap { _ in
            let kind = Kind.allCases[random.below(Kind.allCases.count)]
            let strength = kind.strength(magnitude, width: size, height: size)
            return kind.operation(kind.isSigned && random.below(2) == 1 ? -strength : strength)
        }
    }
}

extension Recipe {
    /// All built-in recipes; docs/recipes.md gives the source of each.
    public static let all: [Recipe] = [
        mocoV1, mocoV2, simCLR, simCLROriginal, swav, swavSmall, byol, barlowTwins, simSiam, dino, simRegWeak, simRegWeakStrong, linearTrain, randAugment, evaluation, evaluationBicubic,
    ]

    public static func named(_ name: String) -> Recipe? { all.first { $0.name == name } }

    /// He et al., CVPR 2020.
    public static let mocoV1 = Recipe("moco-v1", .crop(0.2...1), [.grey(0.2), .jitter(1, 0.4, 0.4, 0.4, 0.4), .flip])
    /// Chen et al. 2020; SEED also uses it for distillation (SEED, section 4.1).
    public static let mocoV2 = Recipe("moco-v2", .crop(0.2...1), mocoV2Steps)
    /// The recipe of SEED's SimCLR teacher, the same as MoCo v1's (SEED's code).
    public static let simCLR = Recipe("simclr", mocoV1.tables)
    /// Chen et al., ICML 2020, strength 1, with torchvision's operations.
    public static let simCLROriginal = Recipe(
        "simclr-original", filter: .bicubic, .crop(0.08...1), [.flip, .jitter(0.8, 0.8, 0.8, 0.8, 0.2), .grey(0.2), .blur(0.5)])
    /// Caron et al., NeurIPS 2020: the large crops, and the small ones.
    public static let swav = Recipe("swav", .crop(0.14...1), swavSteps)
    public static let swavSmall = Recipe("swav-small", .crop(0.05...0.14), swavSteps)
    /// Grill et al., NeurIPS 2020, with torchvision's operations. The two views differ.
    public static let byol = Recipe("byol", filter: .bicubic, asymmetric(.clipped(0.08...1)))
    /// Zbontar et al., ICML 2021. The two views differ.
    public static let barlowTwins = Recipe("barlow-twins", filter: .bicubic, asymmetric(.crop(0.08...1)))
    /// Chen and He, CVPR 2021: the same as MoCo v2's.
    public static let simSiam = Recipe("simsiam", .crop(0.2...1), mocoV2Steps)
    /// Caron et al., ICCV 2021: two different global views, and local ones.
    public static let dino = Recipe(
        "dino", filter: .bicubic, asymmetric(.crop(0.4...1)) + [Table(.crop(0.05...0.4), [.flip] + paleJitter + [.blur(0.5)])])
    /// Navaneet et al., BMVC 2021: the weak augmentation of SimReg.
    public static let simRegWeak = Recipe("simreg-weak", .crop(0.2...1), [.flip])
    /// The weak augmentation for the teacher, and MoCo v2's, the strong one, for the student: `--views 2`, `embed` of
    /// the first view and `train-step --student-view 1`.
    public static let simRegWeakStrong = Recipe("simreg-weak-strong", [simRegWeak.tables[0], Table(.crop(0.2...1), mocoV2Steps)])
    /// The usual training views of linear classifiers.
    public static let linearTrain = Recipe("linear-train", .crop(0.08...1), [.flip])
    /// For fine-tuning: torchvision's, with its default of 2 operations of magnitude 9.
    public static let randAugment = Recipe("randaugment", .crop(0.08...1), [.flip, Step(.randAugment)])
    /// Resizes the shorter side to 256/224 of the size, then takes the centre.
    public static let evaluation = Recipe("evaluation", Step(.centre))
    /// The same with bicubic resampling, as in DINO's k-NN evaluation.
    public static let evaluationBicubic = Recipe("evaluation-bicubic", filter: .bicubic, Step(.centre))

    private static let mocoV2Steps: [Step] = [.jitter(0.8, 0.4, 0.4, 0.4, 0.1), .grey(0.2), .blur(0.5), .flip]
    private static let swavSteps: [Step] = [.flip, .jitter(0.8, 0.8, 0.8, 0.8, 0.2), .grey(0.2), .blur(0.5)]
    private static let paleJitter: [Step] = [.jitter(0.8, 0.4, 0.4, 0.2, 0.1), .grey(0.2)]

    /// BYOL's two views and the later ones: the first is always blurred and never solarised, the second seldom either.
    private static func asymmetric(_ crop: Step) -> [Table] {
        [(1, 0), (0.1, 0.2)].map { blur, solarise in Table(crop, [.flip] + paleJitter + [.blur(blur), .solarise(solarise)]) }
    }
}

extension Recipe.Step {
    private init(_ kind: Kind, _ values: KeyValuePairs<String, [Double]>) {
        self.init(kind)
        for (name, numbers) in values {
            do { try set(name, numbers) } catch { preconditionFailure("\(error)") }
        }
    }

    private static func area(_ kind: Kind, _ scale: ClosedRange<Double>) -> Self { Self(kind, ["scale": [scale.lowerBound, scale.upperBound]]) }
    fileprivate static func crop(_ scale: ClosedRange<Double>) -> Self { area(.randomResized, scale) }
    fileprivate static func clipped(_ scale: ClosedRange<Double>) -> Self { area(.clipped, scale) }
    fileprivate static let flip = Self(.flip)
    fileprivate static func jitter(_ probability: Double, _ brightness: Double, _ contrast: Double, _ saturation: Double, _ hue: Double) -> Self {
        Self(.jitter, [
            "probability": [probability], "brightness": [brightness], "contrast": [contrast], "saturation": [saturation], "hue": [hue],
        ])
    }
    fileprivate static func grey(_ probability: Double) -> Self { Self(.grey, ["probability": [probability]]) }
    fileprivate static func blur(_ probability: Double) -> Self { Self(.blur, ["probability": [probability]]) }
    fileprivate static func solarise(_ probability: Double) -> Self { Self(.solarise, ["probability": [probability]]) }
}

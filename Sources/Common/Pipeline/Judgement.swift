/// The images that a run's networks are evaluated on, and those that supply the labels for it.
enum Judgement: Equatable {
    /// There are no labels. A share of DATA is evaluated without them: whether images are distinguished, and whether
    /// their neighbours are those of the teacher.
    case unlabelled(UnlabelledShare)
    /// TEST is evaluated with the labels of DATA.
    case testByData
    /// One half of DATA is evaluated with the labels of the other half; images alternate.
    case halvesOfData
    /// One half of TEST is evaluated with the labels of the other half, since DATA has no labels.
    case halvesOfTest

    /// The protocols of `evaluate` for a network, besides the one for its head.
    var protocols: [String] { isByLabels ? ["knn", "linear"] : ["quality"] }

    var isByLabels: Bool { if case .unlabelled = self { false } else { true } }

    /// The protocol that is used during training.
    var quickest: String { protocols[0] }

    /// The parts of the data for which features are computed.
    var parts: [String] { isByLabels ? ["train", "test"] : ["train"] }

    /// The reference features: they supply the labels, or are all features if there are none. The value is the link to
    /// their images, and the options of augment that select them.
    var train: (link: String, options: [String]) {
        switch self {
        case .testByData: ("data/train", [])
        case .unlabelled(let share): ("data/train", share.divisor == 1 ? [] : ["--fold", "1/\(share.divisor)"])
        case .halvesOfData: ("data/train", ["--fold", "1/2"])
        case .halvesOfTest: ("data/test", ["--fold", "1/2"])
        }
    }

    var test: (link: String, options: [String]) {
        switch self {
        case .testByData, .unlabelled: ("data/test", [])
        case .halvesOfData: ("data/train", ["--fold", "2/2"])
        case .halvesOfTest: ("data/test", ["--fold", "2/2"])
        }
    }
}

/// The images of DATA for evaluation without labels: all, or one of every `divisor`, because each image is compared
/// with every other.
struct UnlabelledShare: Equatable {
    static let mostImages = 10_000

    let divisor: Int
    let images: Int
    /// Why there is no other way to evaluate: `has no labels`.
    let reason: String

    init(of all: Int, reason: String) {
        divisor = max(1, (all + UnlabelledShare.mostImages - 1) / UnlabelledShare.mostImages)
        images = (all + divisor - 1) / divisor
        self.reason = reason
    }
}

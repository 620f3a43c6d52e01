/// Which images a run's networks are judged by, and which lend their labels to that.
enum Judgement: Equatable {
    /// Nothing has labels to judge by: a share of DATA by what needs none, whether images are told apart and whether their neighbours are the teacher's.
    case unlabelled(UnlabelledShare)
    /// Those of TEST by those of DATA.
    case testByData
    /// One half of DATA by the other, image by image in turn.
    case halvesOfData
    /// One half of TEST by the other, since DATA has no labels.
    case halvesOfTest

    /// What a network is judged by, besides its head: names of `evaluate`'s protocols.
    var protocols: [String] { isByLabels ? ["knn", "linear"] : ["quality"] }

    var isByLabels: Bool { if case .unlabelled = self { false } else { true } }

    /// What is judged along the way.
    var quickest: String { protocols[0] }

    /// The parts of which features are made.
    var parts: [String] { isByLabels ? ["train", "test"] : ["train"] }

    /// The features that lend labels, or all where there are none: the link they come from, and the options of augment that choose them.
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

/// The images of DATA that networks are judged by where nothing has labels: all, or one of so many in turn, since each is compared with every other.
struct UnlabelledShare: Equatable {
    static let mostImages = 10_000

    let divisor: Int
    let images: Int
    /// Why there is nothing to judge by otherwise: `has no labels`.
    let reason: String

    init(of all: Int, reason: String) {
        divisor = max(1, (all + UnlabelledShare.mostImages - 1) / UnlabelledShare.mostImages)
        images = (all + divisor - 1) / divisor
        self.reason = reason
    }
}

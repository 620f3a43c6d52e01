/// Which images a run's networks are judged by, and which lend their labels to that.
enum Judgement: Equatable {
    /// Nothing has labels to judge by; the reason in words.
    case none(String)
    /// Those of TEST by those of DATA.
    case testByData
    /// One half of DATA by the other, image by image in turn.
    case halvesOfData
    /// One half of TEST by the other, since DATA has no labels.
    case halvesOfTest

    /// The features that lend labels: the link they come from, and the options of augment that choose them.
    var train: (link: String, options: [String]) {
        switch self {
        case .none, .testByData: ("data/train", [])
        case .halvesOfData: ("data/train", ["--fold", "1/2"])
        case .halvesOfTest: ("data/test", ["--fold", "1/2"])
        }
    }

    var test: (link: String, options: [String]) {
        switch self {
        case .none, .testByData: ("data/test", [])
        case .halvesOfData: ("data/train", ["--fold", "2/2"])
        case .halvesOfTest: ("data/test", ["--fold", "2/2"])
        }
    }
}

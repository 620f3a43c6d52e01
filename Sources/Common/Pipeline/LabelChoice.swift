import Datasets
import Objectives
import TensorStreams
import ToolSupport

/// The value of LABELS: the images that a method with labels learns from, and whose labels are used for evaluation.
enum LabelChoice: Equatable {
    case all
    /// This fraction of each class, as typed.
    case fraction(String)
    /// The images that a file lists.
    case list(String)

    static let setting = "LABELS"
    /// The copy of the list in the run's folder.
    static let file = "data/labels"

    /// - Throws: ``Failure`` `usage` for a number that is not a valid fraction.
    init(_ text: String) throws {
        guard !text.isEmpty else {
            self = .all
            return
        }
        guard let share = Double(text) else {
            self = .list(text)
            return
        }
        guard share > 0, share <= 1 else {
            throw Failure(.usage, "\(LabelChoice.setting)=\(text): a share must be above 0 and at most 1", remedy: "0.01 is one in a hundred; if it is a file, write ./\(text)")
        }
        self = .fraction(text)
    }

    /// The options of augment; they require --seed.
    var options: [String] {
        switch self {
        case .all: []
        case .fraction(let share): ["--labels-fraction", share]
        case .list: ["--labels-list", LabelChoice.file]
        }
    }
}

/// LABELS, resolved in DATA.
struct ChosenLabels {
    /// The contents of the list; nil for a fraction.
    let list: [UInt8]?
    /// The number of training images of DATA that are selected; nil if the images are synthetic.
    let count: Int?
    /// A remark for the user.
    let remark: String?

    /// The hash of the list.
    var hash: String? {
        list.map { bytes in
            var hash = XXH64()
            unsafe bytes.withUnsafeBytes { unsafe hash.update($0) }
            return hash.text
        }
    }

    /// - Returns: nil if all labels are used.
    /// - Throws: ``Failure`` if the method uses no labels, or DATA lacks the images of the list.
    init?(_ settings: RunSettings, _ data: Dataset?, _ judgement: Judgement) throws {
        let choice = try LabelChoice(settings[LabelChoice.setting]), named = "\(LabelChoice.setting)=\(settings[LabelChoice.setting])"
        guard choice != .all else { return nil }
        guard settings.learnsFromLabels else {
            throw Failure(.usage, "\(named) does not apply to METHOD=\(settings["METHOD"]), which learns without labels", remedy: "clear it with \(LabelChoice.setting)=")
        }
        let fold = judgement == .halvesOfData ? Shard(1, of: 2) : Shard(1, of: 1)
        switch choice {
        case .all: return nil
        case .fraction(let text):
            list = nil
            let subset = LabelSubset.fraction(Double(text) ?? 1, seed: UInt64(settings["SEED"]) ?? 0)
            count = try data.map { try subset.choose($0, fold: fold).images.count }
            remark = nil
        case .list(let path):
            let bytes = try SmallFile.bytes(path, limit: 1 << 30, of: "a list of images")
            guard let data else { throw Failure(.usage, "\(named) names images, but this run draws its images", remedy: "give a share, such as \(LabelChoice.setting)=0.1") }
            let chosen = try LabelSubset.list(bytes, path).choose(data, fold: fold)
            (list, count, remark) = (bytes, chosen.images.count, chosen.remark.map { "\(named): \($0)" })
        }
    }
}

extension RunSettings {
    /// Whether a network of the run is trained with labels.
    var learnsFromLabels: Bool { method.inputs.labels || trainsTeacher && teacherMethod.inputs.labels }
}

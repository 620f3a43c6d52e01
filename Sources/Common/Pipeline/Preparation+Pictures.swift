import Datasets
import ToolSupport

/// How many pictures there are for what, and what is odd about them.
extension Preparation {
    /// Pictures in an epoch, of those that are not left out, and in a judgement.
    var counts: (student: Int, teacher: Int, judged: Int) {
        func option(_ name: String, in words: [String]) -> Int? {
            var value: Int?
            for (place, word) in words.enumerated() {
                if word == name, place + 1 < words.count { value = Int(words[place + 1]) }
                if word.hasPrefix(name + "=") { value = Int(word.dropFirst(name.count + 1)) }
            }
            return value
        }
        let drawn = settings.words("SYNTHESIZE_OPTIONS"), limit = option("--limit", in: settings.words("FLAGS")) ?? .max
        let learnt = settings.isDemonstration ? option("--train", in: drawn) ?? 6000 : train?.count ?? 0
        let tested = settings.isDemonstration ? option("--test", in: drawn) ?? 1200 : test?.count ?? 0
        let judged = switch run.judgement {
        case .none: 0
        case .halvesOfData: learnt
        case .halvesOfTest: tested
        case .testByData: learnt + tested
        }
        let isHalf = settings["TEACHER_OBJECTIVE"] == "supervised-contrastive" && run.judgement == .halvesOfData
        return (min(limit, learnt), min(limit, isHalf ? (learnt + 1) / 2 : learnt), judged)
    }

    /// Whether there are enough pictures for a batch.
    func checkCounts() throws {
        func check(_ name: String, _ count: Int) throws {
            guard settings.number(name) <= count else {
                throw Failure(.usage, "\(name)=\(settings[name]): there are \(count) pictures to learn from", remedy: "take \(name)=\(max(1, min(64, count))) or less")
            }
        }
        let counts = counts
        try check("BATCH", counts.student)
        if settings["TEACHER"].isEmpty { try check("TEACHER_BATCH", counts.teacher) }
    }

    /// What a person should know of the pictures.
    ///
    /// - Throws: ``Failure`` where too many of them are broken.
    func pictureRemarks() throws -> [String] {
        var remarks: [String] = []
        for (name, data) in [("DATA", train), ("TEST", test)] {
            guard let data else { continue }
            let repeated = data.count - Set(data.hashes).count
            if repeated > 0 { remarks.append("\(name): \(repeated) of its \(data.count) pictures are there more than once") }
            guard let first = data.broken.first else { continue }
            guard data.broken.count <= data.count / 100 || settings.words("FLAGS").contains("--allow-bad") else {
                throw Failure(
                    .data, path: settings[name].isEmpty ? settings["DATA"] : settings[name],
                    "\(data.broken.count) of its \(data.count) pictures are broken, more than 1 %, such as \(data.dataset.location(of: first.index)): \(first.reason)",
                    remedy: "repair them, or give FLAGS=--allow-bad to leave them out")
            }
            remarks.append("\(name): \(data.broken.count) pictures have a broken header, such as \(data.dataset.location(of: first.index)) (\(first.reason))")
        }
        if let train, let test {
            let shared = test.shared(with: train)
            if shared > 0, judgedByTest { remarks.append("TEST: \(shared) of its \(test.count) pictures are also in DATA, byte for byte: what they tell is too good") }
        }
        return remarks
    }

    private var judgedByTest: Bool { run.judgement == .testByData }
}

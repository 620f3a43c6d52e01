import Images
import Objectives
import ToolSupport

/// The groups of crops that a method is trained on in a run.
struct Crops {
    /// The groups as `augment --crops` takes them; nil for views of one size, SIZE.
    let text: String?
    /// The number of views of each image, by group.
    let views: [Int]
    /// The height and width of the views, by group.
    let sizes: [Int]
    /// The number of pixels of a view relative to SIZE², by group.
    let areas: [Double]

    static let setting = "CROPS"
    /// The value that selects SEED's small patches.
    static let smallPatches = "small-patches"

    /// - Parameter given: the value of CROPS; empty for the recommendation of the method's paper.
    init(_ method: any Objective.Type, size: Int, given: String) {
        let recommended = method.defaults?.cropsText(size: size)
        let words = given == Crops.smallPatches ? SEED.smallPatches.map { $0.text(size: size) }.joined(separator: " ") : given
        text = words.isEmpty ? recommended : words
        // augment reports malformed values.
        let groups = (text ?? "").split(whereSeparator: \.isWhitespace).map { word in
            word.split(whereSeparator: { "@:".contains($0) }).first?.split(separator: "x").compactMap { Int($0) } ?? []
        }
        let areWellFormed = !groups.isEmpty && groups.allSatisfy { $0.count == 2 && $0.allSatisfy { (1...65536).contains($0) } }
        views = areWellFormed ? groups.map { $0[0] } : method.inputs.leastViews
        sizes = areWellFormed ? groups.map { $0[1] } : views.map { _ in size }
        areas = sizes.map { Double($0 * $0) / Double(max(1, size * size)) }
    }

    /// The recipes that the groups name.
    var recipes: [String] { (text ?? "").split(whereSeparator: \.isWhitespace).compactMap(Recipe.named(inGroup:)) }

    private func area(_ group: Int) -> Double { group < areas.count ? areas[group] : 1 }

    /// The rows of a pass over N images, in units of views of SIZE; 0 if the pass reads no images.
    func rows(_ pass: Pass, N: Int) -> Double {
        guard pass.readsImages else { return 0 }
        let group = if case .group(let group) = pass.input { group } else { 0 }
        return Double(pass.rows(N: N, views: views)) * area(group)
    }

    /// The views of an image, in units of views of SIZE.
    var all: Double { zip(views, areas).reduce(0) { $0 + Double($1.0) * $1.1 } }

    /// Whether the student also learns from the teacher's embeddings of the second group.
    func teachesSmallCrops(_ method: any Objective.Type) -> Bool { method.inputs.teacher == .embedding && method.inputs.groups.count > 1 && views.count > 1 && views[1] > 0 }

    /// The views of an image that the teacher embeds, in units of views of SIZE.
    func taught(_ method: any Objective.Type) -> Double {
        switch method.inputs.teacher {
        case nil: 0
        case .groupEmbeddings(let group): group < views.count ? Double(views[group]) * areas[group] : 0
        case .embedding: areas[0] + (teachesSmallCrops(method) ? Double(views[1]) * areas[1] : 0)
        case .features, .logits: areas[0]
        }
    }

    /// The number of rows that the teacher gives for an image.
    func taughtRows(_ method: any Objective.Type) -> Int {
        switch method.inputs.teacher {
        case nil: 0
        case .groupEmbeddings(let group): group < views.count ? views[group] : 0
        case .embedding: 1 + (teachesSmallCrops(method) ? views[1] : 0)
        case .features, .logits: 1
        }
    }

    /// The sizes of the views that the teacher embeds.
    func taughtSizes(_ method: any Objective.Type) -> [Int] { Array(sizes.prefix(teachesSmallCrops(method) ? 2 : 1)) }

    /// The options of `embed` that add the teacher's output that the method learns from.
    func embedOptions(_ output: TeacherOutput, _ method: any Objective.Type) -> [String] {
        output.embedOptions + (teachesSmallCrops(method) ? ["--view", "0", "--group", "1"] : [])
    }
}

extension RunSettings {
    var studentCrops: Crops { Crops(method, size: number("SIZE"), given: self[Crops.setting]) }
    var teacherCrops: Crops { Crops(teacherMethod, size: number("SIZE"), given: "") }

    /// - Throws: ``Failure`` if the method cannot learn from CROPS, or the teacher cannot supply the required outputs
    ///   for them.
    func checkCrops() throws {
        let crops = studentCrops, wanted = method.inputs.groups, named = "\(Crops.setting)=\(self[Crops.setting])", method = "METHOD=\(self["METHOD"])"
        if !self[Crops.setting].isEmpty {
            guard !self.method.inputs.bags else { throw Failure(.usage, path: named, "\(method) makes its own views", remedy: "leave out \(Crops.setting)") }
            guard crops.views.count <= wanted.count else {
                throw Failure(.usage, path: named, "has \(crops.views.count) groups where \(method) learns from \(wanted.count == 1 ? "one" : "\(wanted.count)")", remedy: "leave out the others")
            }
            for (group, range) in wanted.enumerated() {
                let count = group < crops.views.count ? crops.views[group] : 0
                guard !range.contains(count) else { continue }
                throw Failure(
                    .usage, path: named, "has \(count) view\(count == 1 ? "" : "s") in group \(group) where \(method) learns from "
                        + (range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"), remedy: "give that many")
            }
        }
        if let view = ShellWords.value(of: "--student-view", in: words("STUDENT_OPTIONS")).flatMap({ Int($0) }), let views = crops.views.first, view >= views {
            throw Failure(
                .usage, "STUDENT_OPTIONS: --student-view \(view) needs \(view + 1) views, counted from 0, but only \(views == 1 ? "one is" : "\(views) are") made",
                remedy: "\(Crops.setting)=\(view + 1)x\(self["SIZE"])")
        }
        let wantsViews = if case .groupEmbeddings? = self.method.inputs.teacher { true } else { false }
        let wantsMore = wantsViews || crops.teachesSmallCrops(self.method)
        if teacherOrigin == .program, wantsMore {
            throw Failure(
                .usage, path: TeacherProgram.setting, "gives one row per image, but \(method) learns the embeddings of several views", remedy: "name a TEACHER that is a network")
        }
    }
}

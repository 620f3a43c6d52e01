import Datasets
import Objectives
import ToolSupport

extension Judgement {
    /// Chooses how a run's networks are evaluated with these settings and this data.
    ///
    /// - Throws: ``Failure`` if the inputs do not fit together.
    init(_ settings: RunSettings, _ data: OpenedData) throws {
        self = try Judgement.choose(settings, data.learnt, data.judged)
    }

    private static func choose(_ settings: RunSettings, _ train: Dataset?, _ test: Dataset?) throws -> Judgement {
        guard let train else { return .testByData }
        let isTaught = train.classes.count > 1
        for (name, method) in [("METHOD", settings.method)] + (settings.trainsTeacher ? [("TEACHER_OBJECTIVE", settings.teacherMethod)] : [])
        where method.inputs.labels && !isTaught {
            throw Failure(
                .usage, path: settings["DATA"], "\(lack(train)) and \(name)=\(settings[name]) needs several classes",
                remedy: "put images into folders named for their classes, or use \(name)=\(MoCoV2.name)")
        }
        guard let test else {
            if isTaught { return .halvesOfData }
            return .unlabelled(UnlabelledShare(of: train.samples.count, reason: lack(train)))
        }
        let name = settings["TEST"].isEmpty ? settings["DATA"] : settings["TEST"]
        guard !test.classes.isEmpty else {
            throw Failure(.data, path: name, "has no labels, so nothing can be evaluated on it", remedy: "put its images into folders named for their classes, or leave out TEST")
        }
        guard isTaught else {
            guard test.classes.count > 1 else {
                throw Failure(.data, path: name, "has one class, '\(test.classes[0])', and DATA has no labels", remedy: "name a TEST of several classes, or leave it out")
            }
            return .halvesOfTest
        }
        let missing = Set(test.classes).subtracting(train.classes).sorted()
        guard missing.isEmpty else {
            throw Failure(.data, path: name, "has classes that DATA lacks: \(listed(missing))", remedy: "DATA has \(some(train.classes)); both need the same folder names")
        }
        return .testByData
    }
}

/// Why the images cannot distinguish classes.
private func lack(_ data: Dataset) -> String { data.classes.first.map { "has one class, '\($0)'," } ?? "has no labels" }

/// The first three names of a list, with an ellipsis if there are more.
func some(_ names: [String]) -> String {
    names.prefix(3).joined(separator: ", ") + (names.count > 3 ? ", …" : "")
}

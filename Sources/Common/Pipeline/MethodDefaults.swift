import Objectives
import Platform
import ToolSupport

/// The options of train-step for a network that learns by a method, where nobody gives any.
///
/// A method needs none: one with settings of its own (`Objective.defaults`) has these. What depends on data stands in the file `conf/METHOD` beside make's fragments, a line for images that are given, one
/// for those that are drawn, and one for a network that begins with what it has learnt before:
///
///     given --schedule smooth --base-learning-rate 0.24 --warm-up 1
///     drawn --schedule smooth --learning-rate 0.1 --warm-up 1
///     finetuned --schedule smooth --base-learning-rate 0.1 --trunk-rate 0.1
struct MethodDefaults {
    /// Of make's fragments.
    let pipelines: String

    /// Where no file says anything else.
    static let usual = "--schedule smooth --learning-rate 0.03 --warm-up 1"

    /// - Parameters:
    ///   - isFineTuned: whether the network begins with what it has learnt before. Where there is no line of its own for that, it has that of the images.
    /// - Throws: ``Failure`` where the file is not as it should be.
    func options(_ method: String, isFineTuned: Bool = false, areDrawn: Bool) throws -> String {
        // Without the folder nothing would be said of what is missing.
        guard unsafe access("\(pipelines)/conf", F_OK) == 0 else {
            var failure = Failure.errno(.noInput, path: "\(pipelines)/conf", "cannot open it")
            failure.remedy = "start in the folder of the Makefile, or name the folder of its fragments with --pipelines"
            throw failure
        }
        let path = "\(pipelines)/conf/\(method)"
        let fallback = Methods.named(method)?.defaults == nil ? MethodDefaults.usual : ""
        guard let bytes = try TextFile.bytes(path) else { return fallback }
        var options: [String: String] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where !line.hasPrefix("#") {
            let parts = String(line).parts(" ", most: 2)
            guard parts.count == 2, ["given", "drawn", "finetuned"].contains(parts[0]), ShellWords.split(parts[1]) != nil else {
                throw Failure(.data, path: path, "has a line that is none of 'given OPTIONS', 'drawn OPTIONS' and 'finetuned OPTIONS'")
            }
            options[parts[0]] = options[parts[0]] ?? parts[1]
        }
        return (isFineTuned ? options["finetuned"] : nil) ?? options[areDrawn ? "drawn" : "given"] ?? fallback
    }
}

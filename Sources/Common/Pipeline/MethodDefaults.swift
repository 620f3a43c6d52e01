import Objectives
import Platform
import ToolSupport

/// The default options of train-step for a network that is trained by a method.
///
/// Methods with settings of their own (`Objective.defaults`) use these. Defaults that depend on the data are in the
/// file `conf/METHOD` beside make's fragments. It has one line for given images, one for synthetic images, and one for
/// a network that starts from pretrained weights:
///
///     given --schedule smooth --base-learning-rate 0.24 --warm-up 1
///     drawn --schedule smooth --learning-rate 0.1 --warm-up 1
///     finetuned --schedule smooth --base-learning-rate 0.1 --trunk-rate 0.1
struct MethodDefaults {
    /// The folder of make's fragments.
    let pipelines: String

    /// The defaults if no file specifies others.
    static let usual = "--schedule smooth --learning-rate 0.03 --warm-up 1"

    /// - Parameters:
    ///   - isFineTuned: whether the network starts from pretrained weights. Without a line for this case, the line for
    ///     the images applies.
    /// - Throws: ``Failure`` if the file is malformed.
    func options(_ method: String, isFineTuned: Bool = false, areDrawn: Bool) throws -> String {
        // A wrong folder would otherwise go unnoticed, because the file is optional.
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
                throw Failure(.data, path: path, "has a line other than 'given OPTIONS', 'drawn OPTIONS' or 'finetuned OPTIONS'")
            }
            options[parts[0]] = options[parts[0]] ?? parts[1]
        }
        return (isFineTuned ? options["finetuned"] : nil) ?? options[areDrawn ? "drawn" : "given"] ?? fallback
    }
}

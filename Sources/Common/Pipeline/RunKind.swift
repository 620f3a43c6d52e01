import Objectives
import ToolSupport

/// Which runs a target of make is for: what it takes where nothing is said, and what it refuses.
enum RunKind {
    /// Any.
    case any
    /// Those of a method without a teacher: `make pretrain`.
    case pretraining
    /// Those that train a classifier from a network that has learnt: `make finetune`.
    case fineTuning

    /// The method where none is named; nil for the usual one.
    var method: String? {
        switch self {
        case .any: nil
        case .pretraining: MoCoV2.name
        case .fineTuning: Supervised.name
        }
    }

    /// The name of a run on `data` where none is given: what is fine-tuned must not take the place of the run that it comes from.
    func name(of data: String) -> String { RunFolder.name(of: data) + (self == .fineTuning ? "-finetuned" : "") }

    /// The assignments that were typed, and what is taken where they do not say it: what fine-tuning begins with is the student of the run on the same data.
    func completed(_ flags: MakeFlags, _ folder: RunFolder) -> [MakeFlags.Assignment] {
        guard self == .fineTuning, flags.value(of: Beginning.setting) == nil, !folder.isRun else { return flags.assignments }
        let runs = flags.value(of: "RUNS") ?? "runs", name = RunFolder.name(of: flags.value(of: "DATA") ?? "")
        guard let run = try? RunFolder(runs: runs, name: name), run.isRun, run.path != folder.path else { return flags.assignments }
        return flags.assignments + [MakeFlags.Assignment(name: Beginning.setting, value: run.path)]
    }

    /// - Throws: ``Failure`` `usage` for settings that are of another kind of run.
    func check(_ settings: RunSettings) throws {
        let named = "METHOD=\(settings["METHOD"])"
        switch self {
        case .any: break
        case .pretraining:
            guard settings.method.inputs.teacher == nil else {
                throw Failure(.usage, "\(named) learns from a teacher", remedy: "that is make distill; pretrain takes \(RunKind.names { $0.inputs.teacher == nil })")
            }
        case .fineTuning:
            guard settings.method.trainsClassifier else {
                throw Failure(
                    .usage, "\(named) trains no classifier",
                    remedy: settings.typed.contains("METHOD") ? "finetune takes \(RunKind.names { $0.trainsClassifier })" : "the run remembers it; give what is fine-tuned another NAME")
            }
            guard !settings[Beginning.setting].isEmpty else {
                throw Failure(.usage, "\(Beginning.setting) is not given, and fine-tuning begins with what has learnt", remedy: "name a file of weights, or a run: \(Beginning.setting)=runs/NAME")
            }
        }
    }

    /// The methods for which `isMeant` holds.
    private static func names(_ isMeant: (any Objective.Type) -> Bool) -> String { Methods.all.filter(isMeant).map { $0.name }.joined(separator: ", ") }
}

import Objectives
import ToolSupport

/// The kind of runs that a make target is for: its defaults, and the settings it rejects.
enum RunKind {
    /// All runs.
    case any
    /// Runs of a method without a teacher: `make pretrain`.
    case pretraining
    /// Runs that train a classifier on a pretrained network: `make finetune`.
    case fineTuning

    /// The method if none is given; nil for the general default.
    var method: String? {
        switch self {
        case .any: nil
        case .pretraining: MoCoV2.name
        case .fineTuning: Supervised.name
        }
    }

    /// The name of a run on `data` if none is given. A fine-tuning run must not replace the run that it starts from.
    func name(of data: String) -> String { RunFolder.name(of: data) + (self == .fineTuning ? "-finetuned" : "") }

    /// The typed assignments with defaults added: fine-tuning starts from the student of the run on the same data.
    func completed(_ flags: MakeFlags, _ folder: RunFolder) -> [MakeFlags.Assignment] {
        guard self == .fineTuning, flags.value(of: Beginning.setting) == nil, !folder.isRun else { return flags.assignments }
        let runs = flags.value(of: "RUNS") ?? "runs", name = RunFolder.name(of: flags.value(of: "DATA") ?? "")
        guard let run = try? RunFolder(runs: runs, name: name), run.isRun, run.path != folder.path else { return flags.assignments }
        return flags.assignments + [MakeFlags.Assignment(name: Beginning.setting, value: run.path)]
    }

    /// - Throws: ``Failure`` `usage` for settings of another kind of run.
    func check(_ settings: RunSettings) throws {
        let named = "METHOD=\(settings["METHOD"])"
        switch self {
        case .any: break
        case .pretraining:
            guard settings.method.inputs.teacher == nil else {
                throw Failure(.usage, "\(named) learns from a teacher", remedy: "run make distill instead; pretrain takes \(RunKind.names { $0.inputs.teacher == nil })")
            }
        case .fineTuning:
            guard settings.method.trainsClassifier else {
                throw Failure(
                    .usage, "\(named) trains no classifier",
                    remedy: settings.typed.contains("METHOD") ? "finetune takes \(RunKind.names { $0.trainsClassifier })" : "the run remembers it; give the fine-tuned run another NAME")
            }
            guard !settings[Beginning.setting].isEmpty else {
                throw Failure(.usage, "\(Beginning.setting) is not given, but fine-tuning starts from a trained network", remedy: "name a file of weights, or a run: \(Beginning.setting)=runs/NAME")
            }
        }
    }

    /// The names of the methods for which `isMeant` holds.
    private static func names(_ isMeant: (any Objective.Type) -> Bool) -> String { Methods.all.filter(isMeant).map { $0.name }.joined(separator: ", ") }
}

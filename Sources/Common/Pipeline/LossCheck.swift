import Objectives
import ToolSupport

/// Checks that the command given by `--loss` computes a loss.
struct LossCheck {
    private let programs: ProgramCheck

    init(_ environment: StageEnvironment) { programs = ProgramCheck(environment: environment) }

    /// Checks the command without running it.
    ///
    /// - Throws: ``Failure`` `usage`.
    func check(_ setting: String, _ settings: RunSettings) throws {
        guard let command = ShellWords.value(of: "--loss", in: settings.words(setting)) else { return }
        try programs.check(command, "--loss '\(command)'", in: setting)
    }

    /// Runs the program on one batch of random rows.
    ///
    /// - Throws: ``Failure`` `usage`.
    func run(_ setting: String, _ preparation: Preparation, batch: Int, images: Int, _ supervision: ProgramSupervision) throws {
        let words = preparation.settings.words(setting)
        guard let command = ShellWords.value(of: "--loss", in: words) else { return }
        var supervision = supervision
        supervision.timeout = ShellWords.value(of: "--loss-timeout", in: words).flatMap { Double($0) } ?? LossCheck.patience
        try programs.run(in: setting, telling: "SEED_LOSS_TRIAL") {
            try LossTrial.run(command, rows: min(batch, 64), dimension: preparation.run.embedding, samples: images, supervision)
        }
    }

    /// The default timeout in seconds for the first answer: some programs load a framework first.
    private static let patience = 300.0
}

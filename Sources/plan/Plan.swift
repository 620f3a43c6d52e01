import ArgumentParser
import Pipeline
import ToolSupport

@main
struct Plan: Tool {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Prepare a run for make: check settings and data, link them into the run's folder, report what will be done.",
        discussion: """
            make starts plan and passes on what was typed, as data: 'make distill DATA=pictures' is 'plan distill' with MAKEFLAGS=' -- DATA=pictures'. plan opens \
            DATA, TEST, TEACHER and FROM, writes RUNS/NAME (settings, options/, data/, stages), removes the records in done/ that no longer apply, and then \
            executes make in that folder.

            Example:
              MAKEFLAGS=' -- DATA=pictures EPOCHS=3' plan check

            See also: pipelines/*.mk, which contain the stages' commands.
            """,
        version: productVersion,
        subcommands: [Distill.self, Pretrain.self, Finetune.self, Check.self, OneStage.self, Report.self, Compare.self, DistillSlurm.self, ShardOfFeatures.self, Nightly.self, Status.self, Finish.self, Clean.self, Settings.self])

    func run() throws { throw ValidationError("name what to plan: distill, pretrain, finetune, check or stage") }

    static func write(_ text: String) throws {
        try OutputFile.write(text, to: OutputFile.standard)
    }
}

struct PlanOptions: ParsableArguments {
    @Option(help: "The folder of make's fragments.") var pipelines = "pipelines"
    @Option(help: "The make program to execute.") var make = "make"
    @OptionGroup var common: TimedOptions
}

struct Distill: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run make for all unfinished stages.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.distill, options) }
}

struct Pretrain: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The same, with a METHOD that needs no teacher.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.pretrain, options) }
}

struct Finetune: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The same, with a METHOD that trains a classifier on a pretrained network.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.finetune, options) }
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Report what would be done and what cannot work; write nothing.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.check, options) }
}

struct OneStage: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stage", abstract: "Run make for the one stage that STAGE names.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(Start.flags.value(of: "SHOW") == "1" ? .show : .stage, options) }
}

struct DistillSlurm: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Submit all unfinished stages to Slurm, as jobs that wait for each other.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.submit, options) }
}

struct ShardOfFeatures: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "shard", abstract: "Run make for the part of the features that SHARD names.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.shard, options) }
}

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run report, which writes a page of the results so far of the run NAME.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.report, options) }
}

struct Nightly: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run nightly, which evaluates the newest checkpoints of all runs.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.nightly, options) }
}

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run report, which compares the runs that NAMES lists.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.compare, options) }
}

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the progress of the runs.")
    func run() throws { try Plan.write(RunStatus.table(Start.flags)) }
}

struct Finish: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Record that a stage of the run in this folder is done.")
    @Argument(help: "The stage.") var stage: String
    func run() throws { try Planner.finish(stage, in: ".") }
}

struct Clean: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove what killed tools left unfinished in the runs.")
    func run() throws { try Planner.clean(Start.flags) { Plan.log($0) } }
}

struct Settings: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the settings of make distill.")
    @Option(help: "The folder of make's fragments.") var pipelines = "pipelines"

    func run() throws {
        try Plan.write(Setting.all.map { try $0.line(pipelines: pipelines) + "\n" }.joined())
    }
}

import ArgumentParser
import Pipeline
import ToolSupport

@main
struct Plan: Tool {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Makes a run ready for make: checks settings and data, links them into the run's folder, tells what will be done.",
        discussion: """
            make starts it with what was typed, as data: 'make distill DATA=pictures' is 'plan distill' with MAKEFLAGS=' -- DATA=pictures'. It opens DATA, \
            TEST, TEACHER and FROM, writes RUNS/NAME (settings, options/, data/, stages), forgets of done/ what does not belong to them any more, and \
            goes on as make in that folder.

            Example:
              MAKEFLAGS=' -- DATA=pictures EPOCHS=3' plan check

            See also: pipelines/*.mk, which have the stages' commands.
            """,
        version: productVersion,
        subcommands: [Distill.self, Pretrain.self, Finetune.self, Check.self, OneStage.self, Report.self, Compare.self, DistillSlurm.self, ShardOfFeatures.self, Nightly.self, Status.self, Finish.self, Clean.self, Settings.self])

    func run() throws { throw ValidationError("say what to plan: distill, pretrain, finetune, check or stage") }

    static func write(_ text: String) throws {
        try OutputFile.write(text, to: OutputFile.standard)
    }
}

struct PlanOptions: ParsableArguments {
    @Option(help: "The folder of make's fragments.") var pipelines = "pipelines"
    @Option(help: "The make to go on as.") var make = "make"
    @OptionGroup var common: TimedOptions
}

struct Distill: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Go on as make with all stages that are not done.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.distill, options) }
}

struct Pretrain: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The same, by a METHOD that needs no teacher.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.pretrain, options) }
}

struct Finetune: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The same, by a METHOD that gives a network that has learnt a classifier.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.finetune, options) }
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Tell what would be done, and what cannot work; write nothing.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.check, options) }
}

struct OneStage: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stage", abstract: "Go on as make with the one stage that STAGE names.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(Start.flags.value(of: "SHOW") == "1" ? .show : .stage, options) }
}

struct DistillSlurm: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Give all stages that are not done to Slurm, as jobs that wait for each other.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.submit, options) }
}

struct ShardOfFeatures: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "shard", abstract: "Go on as make with the part of the features that SHARD names.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.shard, options) }
}

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Go on as report, which writes a page of what the run that NAME names has come to.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.report, options) }
}

struct Nightly: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Go on as nightly, which judges the newest checkpoints of all runs.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.nightly, options) }
}

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Go on as report, which compares the runs that NAMES names.")
    @OptionGroup var options: PlanOptions
    func run() throws { try Start.plan(.compare, options) }
}

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Tell how far the runs are.")
    func run() throws { try Plan.write(RunStatus.table(Start.flags)) }
}

struct Finish: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Note that a stage of the run in this folder is done.")
    @Argument(help: "The stage.") var stage: String
    func run() throws { try Planner.finish(stage, in: ".") }
}

struct Clean: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Remove what killed tools have left unfinished in the runs.")
    func run() throws { try Planner.clean(Start.flags) { Plan.log($0) } }
}

struct Settings: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the settings of make distill.")
    @Option(help: "The folder of make's fragments.") var pipelines = "pipelines"

    func run() throws {
        try Plan.write(Setting.all.map { try $0.line(pipelines: pipelines) + "\n" }.joined())
    }
}

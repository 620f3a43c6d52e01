import ArgumentParser
import ToolSupport

@main
struct TrainStep: Tool {
    static let configuration = CommandConfiguration(commandName: "train-step", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

import ArgumentParser
import ToolSupport

@main
struct QueueLoss: Tool {
    static let configuration = CommandConfiguration(commandName: "queue-loss", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

import ArgumentParser
import ToolSupport

@main
struct Evaluate: Tool {
    static let configuration = CommandConfiguration(commandName: "evaluate", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

import ArgumentParser
import ToolSupport

@main
struct Inspect: Tool {
    static let configuration = CommandConfiguration(commandName: "inspect", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

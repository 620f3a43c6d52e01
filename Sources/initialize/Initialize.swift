import ArgumentParser
import ToolSupport

@main
struct Initialize: Tool {
    static let configuration = CommandConfiguration(commandName: "initialize", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

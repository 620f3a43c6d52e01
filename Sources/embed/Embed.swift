import ArgumentParser
import ToolSupport

@main
struct Embed: Tool {
    static let configuration = CommandConfiguration(commandName: "embed", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

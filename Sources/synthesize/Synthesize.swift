import ArgumentParser
import ToolSupport

@main
struct Synthesize: Tool {
    static let configuration = CommandConfiguration(commandName: "synthesize", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

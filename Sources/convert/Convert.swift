import ArgumentParser
import ToolSupport

@main
struct Convert: Tool {
    static let configuration = CommandConfiguration(commandName: "convert", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

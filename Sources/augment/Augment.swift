import ArgumentParser
import ToolSupport

@main
struct Augment: Tool {
    static let configuration = CommandConfiguration(commandName: "augment", abstract: "")
    @OptionGroup var common: CommonOptions

    func run() throws { common.start() }
}

public import ArgumentParser
public import Checkpoints
public import Networks
import ToolSupport

/// How to read a weights file that does not describe itself, or does so wrongly: the options of `embed` and
/// `convert-weights`.
public struct WeightsArguments: ParsableArguments {
    @Option(help: "The network (default: the one that the file names or its tensors fit).") var network: String?
    @Option(help: "Whose definition of the network: torchvision, or seed, which has its own \(Network.definedBySEED.joined(separator: ", ")).") var definition: Definition?
    @Option(help: "The prefix of the network's names in the file (default: that of a known layout).") var prefix: String?
    @Option(help: """
        The head that the tensors belong to, layer by layer or by a paper's name (initialize --head), if the file does not say; the default has ReLUs between \
        its layers.
        """) var head: String?
    @Option(help: ArgumentHelp(
        "The mean that is subtracted from pixels of 0 to 1: one number, or one each for red, green and blue: 0.5,0.5,0.5 (default: that of the file or its layout, else ImageNet's).",
        valueName: "numbers")) var mean: String?
    @Option(help: ArgumentHelp("The deviation by which they are then divided; given with --mean.", valueName: "numbers")) var deviation: String?

    public init() {}

    public func validate() throws {
        _ = try pixels()
        if let head, Head(text: head) == nil, !Head.names.contains(head) { throw ValidationError("--head '\(head)' is neither layers nor a paper's head; \(Head.remedy(head))") }
        if let definition, network == nil, definition != .torchvision { throw ValidationError("--definition \(definition.rawValue) applies to a network; name one with --network") }
    }

    /// The first option that was given.
    public var given: String? {
        let all = [("--network", network), ("--definition", definition?.rawValue), ("--prefix", prefix), ("--head", head), ("--mean", mean), ("--deviation", deviation)]
        return all.first { $0.1 != nil }?.0
    }

    /// - Parameters: see ``WeightsFile/Reading``.
    public func open(_ path: String, needsNoHead: Bool = false, wantsPrototypes: Bool = false) throws -> WeightsFile {
        let name = network == nil ? nil : try WeightsDocument.networkName(network, by: definition)
        var reading = WeightsFile.Reading(network: name, prefix: prefix, head: head, pixels: try pixels())
        (reading.needsNoHead, reading.wantsPrototypes) = (needsNoHead && head == nil, wantsPrototypes)
        return try WeightsFile(path, reading)
    }

    /// - Returns: nil where no option was given.
    private func pixels() throws -> Pixels? {
        switch (mean, deviation) {
        case (nil, nil): return nil
        case (let mean?, let deviation?):
            guard let pixels = Pixels(means: Self.numbers(mean), deviations: Self.numbers(deviation)) else {
                throw ValidationError("--mean takes numbers within ±10 and --deviation numbers in 0.001 … 100, one or three of each, such as 0.485,0.456,0.406; found '\(mean)' and '\(deviation)'")
            }
            return pixels
        default: throw ValidationError("--mean and --deviation go together")
        }
    }

    /// Three numbers, the same ones if the text has only one; empty for any other count.
    private static func numbers(_ text: String) -> [Float] {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Float($0) ?? .nan }
        return numbers.count == 1 ? [Float](repeating: numbers[0], count: 3) : numbers.count == 3 ? numbers : []
    }
}

extension Definition: ExpressibleByArgument {}

public import ArgumentParser
public import Networks
import ToolSupport

/// `--mean` and `--deviation`: how bytes become numbers, where a file of weights does not say it or says it wrong.
public struct PixelOptions: ParsableArguments {
    @Option(help: ArgumentHelp(
        "The mean that is taken from pixels, of 0 to 1: one number, or one for red, green and blue: 0.5,0.5,0.5 (default: what the file or its layout says, else ImageNet's).",
        valueName: "numbers")) var mean: String?
    @Option(help: ArgumentHelp("What they are divided by then; given with --mean.", valueName: "numbers")) var deviation: String?

    public init() {}

    /// What was given; nil where nothing was.
    ///
    /// - Throws: `ValidationError`
    public func pixels() throws -> Pixels? {
        switch (mean, deviation) {
        case (nil, nil): return nil
        case (let mean?, let deviation?):
            guard let pixels = Pixels(means: PixelOptions.numbers(mean), deviations: PixelOptions.numbers(deviation)) else {
                throw ValidationError("--mean takes numbers within ±10 and --deviation numbers in 0.001 … 100, one or three of each, such as 0.485,0.456,0.406; found '\(mean)' and '\(deviation)'")
            }
            return pixels
        default: throw ValidationError("--mean and --deviation go together")
        }
    }

    /// Three numbers; none where the text has another count.
    private static func numbers(_ text: String) -> [Float] {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Float($0) ?? .nan }
        return numbers.count == 1 ? [Float](repeating: numbers[0], count: 3) : numbers.count == 3 ? numbers : []
    }
}

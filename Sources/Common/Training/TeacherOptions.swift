public import ArgumentParser
import ToolSupport

/// What SEED's loss makes of a teacher's embeddings: the options that `train-step` and `queue-loss` share.
public struct TeacherOptions: ParsableArguments {
    @Option(help: """
        The temperature of the teacher's logits, for seed: a number, or auto for the one at which the targets have two thirds of the largest \
        entropy, ln(K+1), found from the first \(TeacherSample.rows) embeddings (default: that of the checkpoint or queue; else \(Temperature.published)).
        """) public var teacherTemperature: Temperature?
    @Option(help: """
        The mean that the teacher's embeddings share, for seed: auto takes it off where its length is above \(TeacherStatistics.smallestMean), and \
        keeps it with the queue; none leaves it, as published (default: auto).
        """) public var centre: Centring?

    public init() {}

    public func validate() throws {
        if case .fixed(let value) = teacherTemperature { try checkOption("--teacher-temperature", value, in: Temperature.range) }
    }

    /// The first of these options that was given.
    public var given: String? { teacherTemperature != nil ? "--teacher-temperature" : centre != nil ? "--centre" : nil }

    /// Puts what was given into a loss's settings.
    public func apply(to settings: inout QueueLossStage.Settings) {
        settings.teacherTemperature = teacherTemperature
        settings.centre = centre
    }
}

/// Whether the mean of a teacher's embeddings is taken off.
public enum Centring: String, CaseIterable, Sendable, ExpressibleByArgument {
    case auto
    case none
}

/// A temperature that is given or to be found.
public enum Temperature: Sendable, Equatable, ExpressibleByArgument, CustomStringConvertible {
    case auto
    case fixed(Double)

    /// What an option takes.
    public static let range = 1e-5...1e3
    /// The paper's.
    public static let published = 0.01

    public init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let value = Double(argument) {
            self = .fixed(value)
        } else {
            return nil
        }
    }

    public var description: String {
        switch self {
        case .auto: "auto"
        case .fixed(let value): "\(value)"
        }
    }
}

public import TensorStreams

extension Provenance {
    /// The provenance of a checkpoint after another epoch of training.
    ///
    /// A line that differs from an earlier one only in the epoch number replaces it. The lines therefore show every
    /// change of options, but their number does not grow with the number of epochs.
    ///
    /// - Parameters:
    ///   - stream: the provenance of the training stream.
    ///   - arguments: the arguments of `train-step`.
    public func followed(by stream: Provenance, _ arguments: [String]) -> Provenance {
        var lines = self.lines
        for line in stream.adding(tool: "train-step", arguments: arguments).lines {
            lines.removeAll { Self.withoutEpoch($0) == Self.withoutEpoch(line) }
            lines.append(line)
        }
        return Provenance(lines: lines)
    }

    private static func withoutEpoch(_ line: String) -> [Substring] {
        var words = line.split(separator: " ")
        if let option = words.firstIndex(of: "--epoch"), option + 1 < words.endIndex { words[option + 1] = "N" }
        return words.filter { !$0.hasPrefix("--epoch=") }
    }
}

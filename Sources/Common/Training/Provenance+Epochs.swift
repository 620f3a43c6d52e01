public import TensorStreams

extension Provenance {
    /// The provenance of a checkpoint that an epoch of training has added to.
    ///
    /// One epoch is like another but for its number: a line that differs from an earlier one only there takes its place. So
    /// the lines tell of every change of options, and are not more after a thousand epochs than after one.
    ///
    /// - Parameters:
    ///   - stream: of the stream that was trained on.
    ///   - arguments: of `train-step`.
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

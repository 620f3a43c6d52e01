import Platform

/// What a person is told. All that the tools write to standard error goes through here, where nothing of it acts on the terminal.
enum StandardError {
    /// Characters of a line: a few hundred are read, the rest of a message from a hostile file is not.
    static let longestLine = 500
    static let isTerminal = isatty(STDERR_FILENO) == 1
    private static let clearing = "\r\u{1B}[K"

    /// Writes `text` as one line, on a terminal in place of the running one.
    static func write(line text: String) { put((isTerminal ? clearing : "") + text.printableLine(limit: longestLine) + "\n") }

    /// Writes `text` as the line that the next one takes the place of.
    static func write(runningLine text: String) { put(clearing + text.printableLine(limit: longestLine)) }

    static func clearRunningLine() { put(clearing) }

    private static func put(_ text: String) {
        var text = text
        text.withUTF8 { bytes in _ = unsafe Platform.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }
}

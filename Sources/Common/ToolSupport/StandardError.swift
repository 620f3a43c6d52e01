import Platform

/// What a person is told. All that the tools write to standard error goes through here, where nothing of it acts on the terminal.
enum StandardError {
    static let isTerminal = isatty(STDERR_FILENO) == 1
    private static let clearing = "\r\u{1B}[K"

    /// Writes `text` as one line of so many characters at most, on a terminal in place of the running one.
    static func write(line text: String, length: Int = Failure.usualLength) { put((isTerminal ? clearing : "") + text.printableLine(limit: length) + "\n") }

    /// Writes `text` as the line that the next one takes the place of.
    static func write(runningLine text: String) { put(clearing + text.printableLine(limit: Failure.usualLength)) }

    static func clearRunningLine() { put(clearing) }

    private static func put(_ text: String) {
        var text = text
        text.withUTF8 { bytes in _ = unsafe Platform.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }
}

import Platform

/// Messages for people. All output of the tools to standard error goes through here, so that nothing in it controls the
/// terminal.
enum StandardError {
    /// Set where standard error reaches a terminal through a program that forwards it. Its value names the current work
    /// there: a stage of a pipeline.
    private static let variable = "SEED_PROGRESS"
    /// The name of the current work, for the running line; nil for the tool's own name.
    ///
    /// Programs that the tool starts do not inherit it, because they would write to the same line.
    static let stage: String? = {
        guard let value = unsafe getenv(variable), unsafe value.pointee != 0 else { return nil }
        defer { unsafe unsetenv(variable) }
        return unsafe String(cString: value)
    }()
    static let isTerminal = stage != nil || isatty(STDERR_FILENO) == 1
    private static let clearing = "\r\u{1B}[K"

    /// Writes `text` as one line of at most `length` characters; on a terminal it replaces the running line.
    static func write(line text: String, length: Int = Failure.usualLength) { put((isTerminal ? clearing : "") + text.printableLine(limit: length) + "\n") }

    /// Writes `text` as a line that the next one replaces.
    static func write(runningLine text: String) {
        let text = text.printableLine(limit: Failure.usualLength), most = width - 1
        // The end of the line is the least important part.
        put(clearing + (text.count > most ? text.prefix(most - 1) + "…" : text))
    }

    /// The current width of the terminal: a line that wraps cannot be replaced.
    private static var width: Int {
        let own = isatty(STDERR_FILENO) == 1, descriptor = own ? STDERR_FILENO : unsafe open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY)
        defer { if !own, descriptor >= 0 { close(descriptor) } }
        var size = winsize()
        guard descriptor >= 0, unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return max(20, Int(size.ws_col))
    }

    static func clearRunningLine() { put(clearing) }

    private static func put(_ text: String) {
        var text = text
        text.withUTF8 { bytes in _ = unsafe Platform.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }
}

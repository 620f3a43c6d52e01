import Platform

/// What a person is told. All that the tools write to standard error goes through here, where nothing of it acts on the terminal.
enum StandardError {
    /// Set where standard error ends in a terminal by way of a program that hands it on, to what is under way there: a stage of a pipeline.
    private static let variable = "SEED_PROGRESS"
    /// What is under way, for the running line; nil where the tool's own name says it.
    ///
    /// It is not handed on to programs that the tool starts, which would write to the same line.
    static let stage: String? = {
        guard let value = unsafe getenv(variable), unsafe value.pointee != 0 else { return nil }
        defer { unsafe unsetenv(variable) }
        return unsafe String(cString: value)
    }()
    static let isTerminal = stage != nil || isatty(STDERR_FILENO) == 1
    private static let clearing = "\r\u{1B}[K"

    /// Writes `text` as one line of so many characters at most, on a terminal in place of the running one.
    static func write(line text: String, length: Int = Failure.usualLength) { put((isTerminal ? clearing : "") + text.printableLine(limit: length) + "\n") }

    /// Writes `text` as the line that the next one takes the place of.
    static func write(runningLine text: String) {
        let text = text.printableLine(limit: Failure.usualLength), most = width - 1
        // Its end is what matters least.
        put(clearing + (text.count > most ? text.prefix(most - 1) + "…" : text))
    }

    /// Characters in a line of the terminal as it is now: a line that goes on in the next cannot be taken back.
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

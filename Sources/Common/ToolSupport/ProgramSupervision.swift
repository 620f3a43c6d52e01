/// The timeouts and callbacks for a user program that answers records.
public struct ProgramSupervision: Sendable {
    /// Seconds after which a program that does not answer is stopped; nil for never.
    public var timeout: Double?
    /// The name of the setting that changes ``timeout``, for the message; nil for the command's option with `-timeout`
    /// appended.
    public var limit: String?
    /// Whether the program ignores SIGTERM, so that a SIGTERM to the whole group does not end it before its tool has
    /// saved its work. It ends when its input ends.
    public var ignoresTermination = false
    /// Called when no answer has come for a long time.
    public var warn: @Sendable (String) -> Void
    /// Called on its own thread for a program that was stopped while a process that it left behind holds its pipe open.
    /// The reader of the pipe keeps waiting, and only the end of this process can change that.
    public var abandon: @Sendable (Failure) -> Void

    public init(
        timeout: Double? = nil, limit: String? = nil, warn: @escaping @Sendable (String) -> Void = { _ in }, abandon: @escaping @Sendable (Failure) -> Void = { _ in }
    ) {
        (self.timeout, self.limit, self.warn, self.abandon) = (timeout, limit, warn, abandon)
    }
}

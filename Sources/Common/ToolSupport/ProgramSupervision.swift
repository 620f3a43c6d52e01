/// How long a program of the user's that answers records is waited for.
public struct ProgramSupervision: Sendable {
    /// Seconds after which a program that does not answer is stopped; nil for never.
    public var timeout: Double?
    /// What a person gives to have another ``timeout``, for the message; nil for the option of the command's with `-timeout` behind it.
    public var limit: String?
    /// Whether it ignores SIGTERM, so that one to the whole group does not end it before its tool has saved what it is for. It ends with its input.
    public var ignoresTermination = false
    /// Is told when no answer comes for long.
    public var warn: @Sendable (String) -> Void
    /// Is told, on a thread of its own, of a program that was stopped and whose pipe is held open by a process that it left behind: whoever
    /// reads the pipe waits on, and nothing but the end of this process can change that.
    public var abandon: @Sendable (Failure) -> Void

    public init(
        timeout: Double? = nil, limit: String? = nil, warn: @escaping @Sendable (String) -> Void = { _ in }, abandon: @escaping @Sendable (Failure) -> Void = { _ in }
    ) {
        (self.timeout, self.limit, self.warn, self.abandon) = (timeout, limit, warn, abandon)
    }
}

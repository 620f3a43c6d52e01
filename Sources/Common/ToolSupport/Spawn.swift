public import Platform

/// Starts a program with given descriptors and signal settings.
public struct Spawn {
    /// The program (a path, or with `searches` a name on PATH) and its arguments.
    public var words: [String]
    public var searches = false
    /// Descriptors of this process, and their numbers in the program.
    public var descriptors: [(from: CInt, to: CInt)] = []
    /// Files that are opened for the program, by descriptor.
    public var files: [(path: String, flags: CInt, descriptor: CInt)] = []
    /// Descriptors that the program must not inherit.
    public var closed: [CInt] = []
    /// Whether it leads its own process group, so that it can be stopped with all that it starts. Then a terminal's
    /// Ctrl-C does not reach it.
    public var leadsGroup = false

    public init(_ words: [String]) { self.words = words }

    /// Starts the program. SIGPIPE and SIGXFSZ, which our tools ignore, have their default action in it.
    ///
    /// - Returns: its process; nil, with `errno` set, where it cannot be started.
    public func start() -> pid_t? {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for (from, to) in descriptors { unsafe posix_spawn_file_actions_adddup2(&actions, from, to) }
        for file in files { unsafe posix_spawn_file_actions_addopen(&actions, file.descriptor, file.path, file.flags, 0o666) }
        for descriptor in closed { unsafe posix_spawn_file_actions_addclose(&actions, descriptor) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        unsafe sigemptyset(&defaults)
        unsafe sigaddset(&defaults, SIGPIPE)
        unsafe sigaddset(&defaults, SIGXFSZ)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | (leadsGroup ? POSIX_SPAWN_SETPGROUP : 0)))
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { for unsafe argument in unsafe arguments { unsafe free(argument) } }
        var process = pid_t()
        let start = searches ? unsafe posix_spawnp : unsafe posix_spawn
        let status = unsafe start(&process, words[0], &actions, &attributes, &arguments, environ)
        if status != 0 { Platform.errno = status }
        return status == 0 ? process : nil
    }

    /// Waits for a process that was started.
    ///
    /// - Returns: the status from `waitpid`, or ``WaitStatus/unknown``; not status 0, which would hide an error.
    public static func wait(for process: pid_t) -> CInt {
        var status: CInt = 0
        while unsafe waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { return WaitStatus.unknown }
        }
        return status
    }
}

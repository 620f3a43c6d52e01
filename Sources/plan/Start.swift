import Pipeline
import Platform
import ToolSupport

/// Plans a run and then executes the planned command in place of this process.
enum Start {
    /// The flags that make was called with.
    static var flags: MakeFlags { MakeFlags(unsafe getenv("MAKEFLAGS").map { unsafe String(cString: $0) } ?? "") }

    static func plan(_ goal: Planner.Goal, _ options: PlanOptions) throws {
        try options.common.start()
        var reading: (name: String, progress: Progress)?
        let planner = try Planner(
            goal, flags, pipelines: options.pipelines, tools: try ownFolder(), make: options.make, say: { Plan.logTable($0) }, abandon: { stop($0) },
            progress: { name, count, total in
                if reading?.name != name { reading = (name, Progress(tool: "plan: reading \(name)", unit: "images", total: total, options.common)) }
                reading?.progress.add(count)
            })
        guard let command = try planner.prepare() else { return }
        // make would take an exported setting as its own variable. Only planned values may reach it.
        for setting in Setting.all { unsafe unsetenv(setting.name) }
        for (name, value) in command.environment { unsafe setenv(name, value, 1) }
        var words: [UnsafeMutablePointer<CChar>?] = unsafe command.words.map { unsafe strdup($0) } + [nil]
        for ignored in [SIGPIPE, SIGXFSZ] { signal(ignored, SIG_DFL) }
        unsafe execvp(command.words[0], &words)
        throw Failure.errno(.software, path: command.words[0], "cannot start it")
    }

    /// The folder of this program, which also contains the other tools.
    private static func ownFolder() throws -> String {
        guard let whole = unsafe realpath("/proc/self/exe", nil) else { throw Failure.errno(.software, path: "/proc/self/exe", "cannot be read") }
        defer { unsafe free(whole) }
        return unsafe String(cString: whole).split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }
}

import Platform
import ToolSupport

/// The environment of the stages' commands.
struct StageEnvironment {
    /// The folder of the tools.
    let tools: String
    /// The folder of make's fragments, which also contains the script that runs a stage.
    let pipelines: String
    /// The folder in which make was called. The user's programs start in it.
    let folder: String
    /// The search path for programs.
    let path: String

    init(tools: String, pipelines: String) throws {
        self.tools = tools
        do { self.pipelines = try RunFolder.resolved(pipelines) } catch let failure as Failure {
            throw Failure(failure.kind, path: failure.path, failure.what, remedy: "start in the folder of the Makefile, or name the folder of its fragments with --pipelines")
        }
        folder = try RunFolder.resolved(".")
        path = "\(tools):\(self.pipelines):\(unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin")"
    }
}

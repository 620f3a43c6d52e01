import Platform
import ToolSupport

/// What the stages' commands find around them.
struct StageEnvironment {
    /// The folder of the tools.
    let tools: String
    /// The folder of make's fragments, where the script is that runs a stage.
    let pipelines: String
    /// The folder that make was called in, which a loss program starts in.
    let folder: String
    /// Where programs are looked for.
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

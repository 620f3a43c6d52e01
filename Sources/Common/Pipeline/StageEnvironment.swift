import ToolSupport

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

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
        self.pipelines = try RunFolder.resolved(pipelines)
        folder = try RunFolder.resolved(".")
        path = "\(tools):\(self.pipelines):\(unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin")"
    }
}

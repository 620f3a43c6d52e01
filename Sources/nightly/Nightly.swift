import ArgumentParser
import Evaluation
import History
import Pages
import Pipeline
import Platform
import TensorStreams
import ToolSupport

/// Evaluates the newest checkpoints of all runs and compares them with earlier nights.
@main
struct NightlyTool: Tool {
    static let configuration = CommandConfiguration(
        commandName: "nightly",
        abstract: "Evaluate the newest checkpoint of every run, keep a history, and report what has fallen by more than chance.",
        discussion: """
            A checkpoint is evaluated by k-NN, or without labels by the teacher's neighbours, if it belongs to the current images, options and \
            teacher. A checkpoint that was evaluated in an earlier night, with the same images and by the same programs, keeps its number. Each is compared, image by image, with the night before and with its best night \
            on the same images: it has fallen if it is worse by more than chance (McNemar's exact test). Runs in progress are evaluated too, and not disturbed.

            The exit status is 1 if something has fallen, else 65 or another if a run could not be evaluated, else 0. Results are recorded at once: the next call resumes an interrupted night.

            Example:
              nightly --runs runs
              nightly --runs runs --on-fall 'mail -s "fallen" me@example.org'
              make nightly

            See also: evaluate knn, report.
            """,
        version: productVersion)

    @Option(help: ArgumentHelp("The folder of runs.", valueName: "folder"))
    var runs = "runs"
    @Option(help: ArgumentHelp("The history, an SQLite file (default: .nightly/history.sqlite in the folder of runs).", valueName: "file"))
    var history: String?
    @Option(help: ArgumentHelp("A shell command to run if something has fallen, with the printed report on its standard input.", valueName: "command"))
    var onFall: String?
    @Option(help: ArgumentHelp("Write the numbers for Prometheus' node exporter to this file.", valueName: "file"))
    var prometheus: String?
    @Option(help: "The folder of make's fragments.")
    var pipelines = "pipelines"
    @OptionGroup var common: CommonOptions

    func run() throws {
        common.start()
        guard unsafe access(runs, R_OK | X_OK) == 0 else { throw Failure.errno(.noInput, path: runs, "cannot be read") }
        let place = try NightFolder(runs)
        let historyPath = self.history ?? place.file("history.sqlite")
        // The same history may be used for another folder of runs.
        let lock = try NightFolder.lock(historyPath + ".lock")
        defer { close(lock) }
        let history = try History(historyPath)
        let now = Clock.now(), names = NewestCheckpoint.runs(in: runs), tools = try Self.ownFolder(), code = try NewestCheckpoint.code(in: tools)
        let found = names.map { name in (name, Result { try checkpoints(of: name, (tools, code)) }) }
        var (night, goesOn) = try history.beginNight(now)
        var remarks = history.wasEmpty ? ["\(historyPath) exists but is empty, so a new history begins; restore a backup if there is one"] : []
        if goesOn, try Self.hasMoved(found, history, night) {
            // Results that the night has recorded are kept for comparison.
            try history.end(night, now)
            remarks.append("the night begun at \(night.began) was interrupted, and there are newer checkpoints than it evaluated: it is closed, and a new one begins")
            (night, goesOn) = try history.beginNight(now)
        }
        var report = NightReport(night: night, known: try history.nights().filter { $0.id != night.id })
        report.remarks = remarks
        if goesOn { report.remarks.append("resumes the night begun at \(night.began), which was interrupted") }
        if let last = report.known.last, last.began > now { report.remarks.append("the clock says \(now), which is before the last night's \(last.began): nights are ordered by number") }
        var failed: Failure?
        for (name, found) in found {
            do { try judge(name, try found.get(), history, night, place, &report) } catch let failure as Failure {
                // If the history cannot be written, the next runs cannot be recorded either.
                if failure.path == historyPath { throw failure }
                report.remarks.append("\(name) could not be evaluated: \(failure.description)")
                failed = failed ?? failure
            }
        }
        report.lines = try Comparison.lines(history, night)
        for gone in try Comparison.gone(history, night, names) { report.remarks.append("\(gone) is gone; its history is kept") }
        place.clean()
        // Run the command for falls even if the outputs below cannot be written.
        if report.hasFallen, let onFall { FallCommand(onFall).run(report.text, closed: [lock, place.lock]) { Self.log($0) } }
        func attempt(_ body: () throws -> Void) {
            do { try body() } catch {
                Self.log("\(error)")
                failed = failed ?? (error as? Failure)
            }
        }
        attempt { try OutputFile.write(report.text, to: OutputFile.standard) }
        // A night that could not evaluate or report everything is continued later, and reports again.
        if failed.map({ [.data, .noInput, .usage].contains($0.kind) }) ?? true { try history.end(night, Clock.now()) }
        // The outputs that are made anew from the history each night. A failure does not keep the night open.
        attempt { try place.write(report.page(history), to: "trends.html") }
        if let prometheus { attempt { try Prometheus.write(report.lines, to: prometheus) } }
        if !common.quiet { Self.log(place.file("trends.html")) }
        if report.hasFallen { throw ExitCode(1) }
        if let failed { throw ExitCode(failed.kind.rawValue) }
    }

    private typealias Checkpoints = (found: [NewestCheckpoint], missing: [String])

    private func checkpoints(of name: String, _ tools: (folder: String, code: String)) throws -> Checkpoints {
        let supervision = ProgramSupervision(warn: { Self.log($0) }, abandon: { failure in
            Self.log(failure.description)
            Platform.exit(failure.kind.rawValue)
        })
        return try NewestCheckpoint.all(of: name, in: runs, tools: tools.folder, code: tools.code, pipelines: pipelines, supervision)
    }

    /// Whether an interrupted night has evaluated a network that has a different newest checkpoint now.
    private static func hasMoved(_ found: [(String, Result<Checkpoints, any Error>)], _ history: History, _ night: History.Night) throws -> Bool {
        for (name, checkpoints) in found {
            for checkpoint in (try? checkpoints.get().found) ?? [] {
                let judged = try history.results(run: name, network: checkpoint.network).last { $0.night == night.id }
                if let judged, judged.result.identity != checkpoint.identity { return true }
            }
        }
        return false
    }

    private func judge(_ name: String, _ checkpoints: Checkpoints, _ history: History, _ night: History.Night, _ place: NightFolder, _ report: inout NightReport) throws {
        report.remarks += checkpoints.missing
        for checkpoint in checkpoints.found {
            let earlier = try history.results(run: name, network: checkpoint.network)
            if let known = earlier.last(where: { $0.result.identity == checkpoint.identity }) {
                guard known.night != night.id else { continue }
                var same = known.result
                same.correct = try history.correct(same, night: known.night)
                try history.add(same, in: night)
                continue
            }
            if !common.quiet { Self.log("\(name), \(checkpoint.network): epoch \(checkpoint.epoch) of \(checkpoint.epochs)") }
            let measured = try Measured(try checkpoint.judge(in: place.work()), of: checkpoint)
            try history.add(measured.result, in: night)
        }
    }

    /// The folder of this program, which also contains the other tools.
    private static func ownFolder() throws -> String {
        guard let whole = unsafe realpath("/proc/self/exe", nil) else { throw Failure.errno(.software, path: "/proc/self/exe", "cannot be read") }
        defer { unsafe free(whole) }
        return unsafe String(cString: whole).split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }
}

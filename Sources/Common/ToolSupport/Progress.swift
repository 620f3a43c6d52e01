import Platform

/// Shows the progress of a tool: a line that is rewritten a few times a second on a terminal, and a line every half
/// minute elsewhere. On a terminal the line names the stage of the pipeline that the tool ends, instead of the tool.
///
///     embed: 12800 of 50000 images, 412 images/s, 1 min 30 s left
///     student.3: 1280 of 3968 images, 303 images/s, 9 s left, loss 5.09, waiting 2 %
public struct Progress {
    private let tool: String
    private let unit: String
    private let total: Int?
    private let quiet: Bool
    private let timing: String?
    private let start = Progress.now()
    private var shown: Double
    private var done = 0
    private var lineIsOpen = false

    /// - Parameters:
    ///   - total: the total number of units, where it is known.
    ///   - options: whether to be quiet, and where the final numbers are written as JSON: `{"images": 50000, "seconds":
    ///     121.2}`.
    public init(tool: String, unit: String, total: Int? = nil, _ options: TimedOptions) {
        self.init(tool: tool, unit: unit, total: total, quiet: options.quiet, timing: options.timing)
    }

    private init(tool: String, unit: String, total: Int?, quiet: Bool, timing: String?) {
        self.timing = timing
        self.tool = tool
        self.unit = unit
        self.total = total
        self.quiet = quiet
        shown = start
    }

    /// The seconds of a monotonic clock.
    public static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// The seconds since creation.
    public var elapsed: Double { Progress.now() - start }

    /// The units per second since creation.
    public var rate: Double { Double(done) / max(elapsed, 1e-9) }

    /// Counts `count` more units, and updates the display when it is due.
    ///
    /// - Parameters:
    ///   - waited: the seconds since creation in which the tool waited for the preceding stage of the pipeline.
    ///   - note: appended after the rate.
    public mutating func add(_ count: Int, waited: Double? = nil, note: @autoclosure () -> String = "") {
        done += count
        let now = Progress.now()
        guard !quiet, now - shown >= (StandardError.isTerminal ? 0.25 : 30) else { return }
        shown = now
        var line = "\(StandardError.stage ?? tool): \(done)" + (total.map { " of \($0)" } ?? "") + " \(unit), \(Progress.short(rate))\(StandardError.isTerminal ? "" : " \(unit)")/s"
        if let total, total > done, done > 0 { line += ", \(Progress.duration(Double(total - done) / rate)) left" }
        let note = note(), isTerminal = StandardError.isTerminal
        // On a terminal, where the line may be cut, the waiting time precedes the note.
        if !note.isEmpty, !isTerminal { line += ", \(note)" }
        if let waited { line += ", waiting \(Progress.fixed(100 * min(1, max(0, waited / max(elapsed, 1e-9))), 0)) %" }
        if !note.isEmpty, isTerminal { line += ", \(note)" }
        if isTerminal { StandardError.write(runningLine: line) } else { StandardError.write(line: line) }
        lineIsOpen = isTerminal
    }

    /// Clears the running line and writes the final one: counts, time and rate.
    ///
    ///     embed: 50000 images in 2 min 1 s, 412 images/s; 3 skipped
    public mutating func finish(_ remark: String = "") throws {
        clear()
        if let timing {
            try OutputFile.write("{\"images\": \(done), \"seconds\": \(Progress.fixed(elapsed, 3))}\n", to: timing)
        }
        guard !quiet else { return }
        let rest = remark.isEmpty ? "" : "; " + remark
        StandardError.write(line: "\(tool): \(done) \(unit) in \(Progress.duration(elapsed)), \(Progress.short(rate)) \(unit)/s\(rest)")
    }

    /// Clears the running line so that another message can be written.
    public mutating func clear() {
        if lineIsOpen { StandardError.clearRunningLine() }
        lineIsOpen = false
    }

    /// Formats three significant digits: 0.123, 12.3, 1230.
    public static func short(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 3
        return fixed(value, digits)
    }

    /// `value` with `digits` decimal places.
    public static func fixed(_ value: Double, _ digits: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
        var scale = 1
        for _ in 0..<digits { scale *= 10 }
        guard abs(value) * Double(scale) < 9e18 else { return "\(value)" }
        let rounded = Int((abs(value) * Double(scale)).rounded(.toNearestOrEven))
        let sign = value < 0 && rounded != 0 ? "-" : ""
        guard digits > 0 else { return sign + "\(rounded)" }
        let fraction = String(rounded % scale)
        return sign + "\(rounded / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    /// "0.8 s", "45 s", "3 min 20 s", "2 h 5 min".
    public static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds < 1e9 else { return "a long time" }
        if seconds < 10 { return fixed(seconds, 1) + " s" }
        let whole = Int(seconds.rounded())
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return "\(whole / 3600) h \(whole % 3600 / 60) min"
    }
}

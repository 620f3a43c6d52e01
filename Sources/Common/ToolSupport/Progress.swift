import Platform

/// Tells a person how far a tool is: a line rewritten a few times a second on a terminal, one every half minute elsewhere. On a terminal the stage of a pipeline that the tool ends is named in its place.
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
    ///   - total: how many there will be, where that is known.
    ///   - options: whether to be quiet, and where the closing numbers go as JSON: `{"images": 50000, "seconds": 121.2}`.
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

    /// Seconds of a clock that only goes forward.
    public static func now() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    /// Seconds since this was made.
    public var elapsed: Double { Progress.now() - start }

    /// Units a second since this was made.
    public var rate: Double { Double(done) / max(elapsed, 1e-9) }

    /// Counts `count` more, and shows it when it is time to.
    ///
    /// - Parameters:
    ///   - waited: seconds since this was made in which there was nothing to work on, since what comes before in the pipeline had not made it.
    ///   - note: put behind the rate.
    public mutating func add(_ count: Int, waited: Double? = nil, note: @autoclosure () -> String = "") {
        done += count
        let now = Progress.now()
        guard !quiet, now - shown >= (StandardError.isTerminal ? 0.25 : 30) else { return }
        shown = now
        var line = "\(StandardError.stage ?? tool): \(done)" + (total.map { " of \($0)" } ?? "") + " \(unit), \(Progress.short(rate))\(StandardError.isTerminal ? "" : " \(unit)")/s"
        if let total, total > done, done > 0 { line += ", \(Progress.duration(Double(total - done) / rate)) left" }
        let note = note(), isTerminal = StandardError.isTerminal
        // On a terminal, whose line may be short, the waiting before what a method tells.
        if !note.isEmpty, !isTerminal { line += ", \(note)" }
        if let waited { line += ", waiting \(Progress.fixed(100 * min(1, max(0, waited / max(elapsed, 1e-9))), 0)) %" }
        if !note.isEmpty, isTerminal { line += ", \(note)" }
        if isTerminal { StandardError.write(runningLine: line) } else { StandardError.write(line: line) }
        lineIsOpen = isTerminal
    }

    /// Clears the running line and writes the closing one: counts, time and rate.
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

    /// Ends the running line so that another message can be written.
    public mutating func clear() {
        if lineIsOpen { StandardError.clearRunningLine() }
        lineIsOpen = false
    }

    /// Three figures that matter: 0.123, 12.3, 1230.
    public static func short(_ value: Double) -> String {
        guard value.isFinite else { return "\(value)" }
        let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 3
        return fixed(value, digits)
    }

    /// `value` with so many digits behind the point.
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

import TensorStreams
import ToolSupport

/// A line chart over epochs: one solid line per series, dashed lines for references.
///
/// Lines scale with the page and text does not, so the chart is readable on any screen. The numbers are also in a
/// table, and as JSON for the script.
public struct LineChart: Sendable {
    public struct Series: Sendable {
        public var name: String
        public var points: [(x: Double, y: Double)]
        /// Whether the series is a reference for the others; it is drawn dashed.
        public var isReference: Bool

        public init(_ name: String, _ points: [(x: Double, y: Double)], isReference: Bool = false) {
            (self.name, self.isReference) = (name, isReference)
            self.points = points.filter { $0.x.isFinite && $0.y.isFinite }
        }
    }

    public var title: String
    public var xTitle: String
    public var series: [Series]
    /// Decimal places in the table.
    public var digits: Int

    /// The maximum number of points of a line; longer series are thinned evenly.
    private static let mostPoints = 300

    public init(_ title: String, x xTitle: String = "epoch", _ series: [Series], digits: Int = 3) {
        (self.title, self.xTitle, self.digits) = (title, xTitle, digits)
        self.series = series.filter { !$0.points.isEmpty }.map { series in
            var thin = series
            let step = (series.points.count + Self.mostPoints - 1) / Self.mostPoints
            if step > 1 { thin.points = series.points.enumerated().filter { ($0.offset + 1) % step == 0 || $0.offset == series.points.count - 1 }.map(\.element) }
            return thin
        }
    }

    public var html: HTML {
        guard !series.isEmpty else { return "" }
        let all = series.flatMap(\.points), x = Axis(all.map(\.x), ticks: 6, isCount: true), y = Axis(all.map(\.y))
        let lines = series.enumerated().map { number, series -> HTML in
            let places = series.points.map { "\(Self.place(x.share($0.x))),\(Self.place(1 - y.share($0.y)))" }.joined(separator: " ")
            let kind = series.isReference ? "line reference" : "line"
            // A polyline needs two points.
            let points = series.points.count == 1 ? "\(places) \(places)" : places
            return "<polyline class=\"\(kind)\" style=\"stroke:var(--c\(number % Palette.colours))\" points=\"\(points)\"/>\n"
        }
        let rules = y.ticks.map { "<line class=\"rule\" x1=\"0\" x2=\"1000\" y1=\"\(Self.place(1 - y.share($0)))\" y2=\"\(Self.place(1 - y.share($0)))\"/>" as HTML }
        let yNames = y.ticks.map { "<span style=\"top:\(Self.percent(1 - y.share($0)))\">\(y.name($0))</span>" as HTML }
        let xNames = x.ticks.map { "<span style=\"left:\(Self.percent(x.share($0)))\">\(x.name($0))</span>" as HTML }
        let legend = series.enumerated().map { number, series -> HTML in
            let last = series.points.last.map { Progress.fixed($0.y, digits) } ?? ""
            return "<li><i class=\"key\(series.isReference ? " reference" : "")\" style=\"color:var(--c\(number % Palette.colours))\"></i>\(series.name) <b>\(last)</b></li>"
        }
        return """
            <figure class="chart" data-chart="\(data(x, y).text)">
            <figcaption>\(title)</figcaption>
            <ul class="legend">\(legend)</ul>
            <div class="plot"><div class="y" aria-hidden="true">\(yNames)</div>
            <div class="area"><svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label="\(summary)">\(rules)
            \(lines)</svg><div class="cross" hidden></div><div class="tip" hidden></div></div>
            <div class="x" aria-hidden="true">\(xNames)</div></div>
            <p class="axis">\(xTitle)</p>
            \(HTML.details("numbers", table))</figure>

            """
    }

    /// A description of the chart for screen readers.
    private var summary: String {
        title + ": " + series.map { series in
            let (first, last) = (series.points[0], series.points[series.points.count - 1])
            return "\(series.name) from \(Progress.fixed(first.y, digits)) to \(Progress.fixed(last.y, digits))"
        }.joined(separator: "; ")
    }

    private var table: HTML {
        let places = Set(series.flatMap { $0.points.map(\.x) }).sorted(), values = series.map { Dictionary($0.points.map { ($0.x, $0.y) }, uniquingKeysWith: { $1 }) }
        return HTML.table([xTitle] + series.map(\.name), places.map { x in
            [x == x.rounded() ? Progress.fixed(x, 0) : Progress.fixed(x, 2)] + values.map { $0[x].map { Progress.fixed($0, digits) } ?? "–" }
        })
    }

    private func data(_ x: Axis, _ y: Axis) -> JSON {
        [
            "x": [.number(x.lower), .number(x.upper)], "y": [.number(y.lower), .number(y.upper)], "title": .string(xTitle), "digits": .integer(Int64(digits)),
            "series": .array(series.map { series in
                ["name": .string(series.name), "points": .array(series.points.map { [.number($0.x), .number($0.y)] })]
            }),
        ]
    }

    static func place(_ share: Double) -> String { Progress.fixed(1000 * share, 1) }
    static func percent(_ share: Double) -> String { Progress.fixed(100 * share, 2) + "%" }
}

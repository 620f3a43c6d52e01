import ToolSupport

/// The accuracy of each class, and which classes are confused with which.
public struct ConfusionFigure: Sendable {
    public var classes: [String]
    /// Samples of each class, and how many of them are classified correctly.
    public var samples, correct: [Int]
    /// Samples of class `label` that are classified as class `prediction`.
    public var confusions: [(label: Int, prediction: Int, samples: Int)]
    /// The classifier, such as "k=10, cosine, majority".
    public var classifier: String
    /// The teacher's accuracy on each class, for comparison; nil if unknown.
    public var teacher: [Double?]

    /// With more classes, the matrix would be too small to read.
    private static let mostClasses = 40
    private static let mostBars = 60, mostPairs = 30

    public init(_ classifier: String, classes: [String], samples: [Int], correct: [Int], confusions: [(label: Int, prediction: Int, samples: Int)], teacher: [Double?]) {
        (self.classifier, self.classes, self.samples, self.correct, self.confusions, self.teacher) = (classifier, classes, samples, correct, confusions, teacher)
    }

    /// The accuracy of a class; nil if it has no samples.
    public func share(_ label: Int) -> Double? { samples[label] > 0 ? Double(correct[label]) / Double(samples[label]) : nil }

    /// The classes that have samples, worst first.
    public var order: [Int] {
        classes.indices.filter { samples[$0] > 0 }.sorted { ((share($0) ?? 1), $0) < ((share($1) ?? 1), $1) }
    }

    public var bars: HTML {
        let shown = order.prefix(Self.mostBars)
        let rows = shown.map { label -> HTML in
            let share = share(label) ?? 0, teacher: HTML = teacher[label].map { "<i class=\"mark\" style=\"left:\(LineChart.percent($0))\" title=\"teacher: \(100 * $0, 1) %\"></i>" } ?? ""
            let other = self.teacher[label].map { Progress.fixed(100 * $0, 1) + " %" } ?? "–"
            return """
                <tr><th scope="row">\(classes[label])</th><td class="bar"><div><i style="width:\(LineChart.percent(share))"></i>\(teacher)</div></td>\
                <td>\(100 * share, 1) %</td><td>\(correct[label]) of \(samples[label])</td><td>\(other)</td></tr>

                """
        }
        let rest: HTML = order.count > shown.count ? "<p>And \(order.count - shown.count) better classes.</p>" : ""
        return """
            <div class="scroll"><table class="bars"><thead><tr><th scope="col">class</th><th scope="col">right</th><th scope="col">share</th><th scope="col">samples</th><th scope="col">teacher ┃</th></tr></thead><tbody>
            \(rows)</tbody></table></div>\(rest)

            """
    }

    public var matrix: HTML {
        guard classes.count <= Self.mostClasses else { return pairs }
        var counts = [[Int]](repeating: [Int](repeating: 0, count: classes.count), count: classes.count)
        for label in classes.indices { counts[label][label] = correct[label] }
        for confusion in confusions { counts[confusion.label][confusion.prediction] = confusion.samples }
        let head = classes.map { "<th scope=\"col\"><span>\($0)</span></th>" as HTML }
        let rows = classes.indices.map { label -> HTML in
            let cells = classes.indices.map { prediction -> HTML in
                let count = counts[label][prediction], share = samples[label] > 0 ? Double(count) / Double(samples[label]) : 0
                guard count > 0 else { return "<td></td>" }
                let what = label == prediction ? "right" : "wrong"
                return "<td class=\"\(what)\(share > 0.55 ? " full" : "")\" style=\"--share:\(LineChart.percent(share))\" title=\"\(classes[label]) predicted as \(classes[prediction]): \(count) of \(samples[label])\">\(count)</td>"
            }
            return "<tr><th scope=\"row\">\(classes[label])</th>\(cells)</tr>\n"
        }
        return "<div class=\"scroll\"><table class=\"confusion\"><thead><tr><td></td>\(head)</tr></thead><tbody>\n\(rows)</tbody></table></div>\n"
    }

    /// The most frequent confusions.
    private var pairs: HTML {
        HTML.table(["class", "predicted as", "samples"], confusions.prefix(Self.mostPairs).map { [classes[$0.label], classes[$0.prediction], "\($0.samples) of \(samples[$0.label])"] })
    }
}

import ToolSupport

/// Tables for people.
public enum Report {
    /// The machine that everything was measured on, and its measured peaks.
    public static func heading(_ machine: Machine, versions: String?) -> String {
        let peaks = { (rate: Double, bytes: Double) in "\(Progress.fixed(rate, 0)) GFLOP/s, \(Progress.fixed(bytes, 1)) GB/s" }
        return """
            \(Processor.today), \(Processor.name), \(count(machine.threads, "thread"))\(versions.map { ", " + $0 } ?? "")
            measured peaks: \(peaks(machine.gigaflops, machine.gigabytes)); one thread \(peaks(machine.gigaflopsOfOne, machine.gigabytesOfOne))
            """
    }

    /// The speed of our program.
    public static func table(_ measurements: [Measurement], _ machine: Machine) -> String {
        var table = TextTable([
            ["", "batch", "1 thread", count(machine.threads, "thread"), "scaling", "", "of peak", "moved", "of memory", "peak memory"],
            ["", "", "images/s", "images/s", "", "GFLOP/s", "", "GB/s", "", ""],
        ])
        for title in measurements.map(\.workload.title).unique {
            table.rows.append([title])
            for m in measurements where m.workload.title == title {
                table.rows.append([
                    "  " + m.workload.network, "\(m.workload.batch)", Progress.short(m.imagesPerSecondOfOne), Progress.short(m.imagesPerSecond),
                    Progress.fixed(m.scaling, 2) + "×", Progress.fixed(m.gigaflops, 0), percent(m.gigaflops / machine.gigaflops),
                    Progress.fixed(m.gigabytes, 1), percent(m.gigabytes / machine.gigabytes), mebibytes(m.memory),
                ])
            }
        }
        return table.text + """

            GFLOP/s are those of the direct algorithm: Winograd's takes fewer, so its share may exceed 100 %. Bytes moved are those that the plan
            reads and writes if no cache holds any of them.

            """
    }

    /// Our program against the peers, and the result of each of their modes.
    public static func table(_ comparisons: [Comparison]) -> String {
        var table = TextTable([
            ["", "batch", "ours", "peer", "", "ratio", "least", "most", "memory", "peer", "ratio"],
            ["", "", "images/s", "images/s", "its best mode", "", "", "", "", "", ""],
        ])
        table.leftColumns = [0, 4]
        for title in comparisons.map(\.workload.title).unique {
            table.rows.append([title])
            for c in comparisons where c.workload.title == title {
                guard let best = c.best else {
                    table.rows.append(["  " + c.workload.network, "\(c.workload.batch)", "", "", "no peer runs here"])
                    continue
                }
                let rate = { (seconds: Double) in Progress.short(Double(c.workload.batch) / seconds) }
                table.rows.append([
                    "  " + c.workload.network, "\(c.workload.batch)", rate(best.ours), rate(best.theirs), best.mode.title,
                    Progress.fixed(best.ratio, 2), Progress.fixed(best.ratios.min() ?? .nan, 2), Progress.fixed(best.ratios.max() ?? .nan, 2),
                    mebibytes(best.memory), c.trials.compactMap(\.memory).min().map(mebibytes) ?? "",
                    c.memoryRatio.map { Progress.fixed($0, 2) } ?? "",
                ])
            }
        }
        let modes = PeerMode.allCases.filter { mode in comparisons.contains { $0.trials.contains { $0.mode == mode } } }
        var modesTable = TextTable([["images/s (MiB)", "batch"] + modes.map(\.title)])
        for title in comparisons.map(\.workload.title).unique {
            modesTable.rows.append([title])
            for c in comparisons where c.workload.title == title {
                modesTable.rows.append(["  " + c.workload.network, "\(c.workload.batch)"] + modes.map { mode in
                    guard let trial = c.trials.first(where: { $0.mode == mode }) else { return "" }
                    guard let seconds = trial.seconds, let memory = trial.memory else { return "fails" }
                    return "\(Progress.short(Double(c.workload.batch) / seconds)) (\(memory >> 20))"
                })
            }
        }
        let failures = comparisons.flatMap(\.trials).compactMap(\.failure).unique.map { $0 + "\n" }.joined()
        return table.text + """

            Each peer took turns with ours; the ratio is the median of the pairs. Its memory is that of its mode that
            takes the least.

            """ + "\n" + modesTable.text + failures
    }

    /// Only the ratios, with a column for each network.
    public static func summary(_ comparisons: [Comparison]) -> String {
        let networks = comparisons.map(\.workload.network).unique
        var table = TextTable([["ours / the best peer's"] + networks])
        func row(_ title: String, _ comparisons: [Comparison], _ value: (Comparison) -> Double?) {
            guard !comparisons.isEmpty else { return }
            table.rows.append([title] + networks.map { network in
                comparisons.first { $0.workload.network == network }.flatMap(value).map { Progress.fixed($0, 2) } ?? ""
            })
        }
        let titles = comparisons.map(\.workload.title).unique
        for title in titles { row(title + ", images/s", comparisons.filter { $0.workload.title == title }) { $0.best?.ratio } }
        for title in titles {
            let own = comparisons.filter { $0.workload.title == title && $0.workload.kind == .train }
            row(title + ", peak memory", own) { $0.memoryRatio }
        }
        return table.text
    }

    static func percent(_ share: Double) -> String { Progress.fixed(100 * share, 0) + " %" }
    static func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
    static func count(_ number: Int, _ unit: String) -> String { "\(number) \(unit)\(number == 1 ? "" : "s")" }
}

extension Array where Element: Hashable {
    /// The unique elements in order of first occurrence.
    var unique: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}

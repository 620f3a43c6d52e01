public import Networks
import Parallel
import ToolSupport

extension Profile {
    /// A table of the time spent on a batch: a row for each layer and each other part, then totals by kind of layer.
    ///
    /// | column     |                                                                                                       |
    /// |------------|-------------------------------------------------------------------------------------------------------|
    /// | forward    | milliseconds per batch, and billions of operations per second                                         |
    /// | to data    | the same for the gradient of the layer's input; the whole backward pass for layers without products   |
    /// | to weights | the same for the gradient of its weights                                                              |
    /// | share      | of the total time                                                                                     |
    ///
    /// A multiply-add counts as two operations, and operations are those of the direct algorithm. Winograd's
    /// algorithm needs fewer, so its rate may exceed the peak rate of the machine.
    public var table: String {
        var layers: [Row] = [], kinds: [Row] = []
        for index in operations.indices where operations[index].contains(where: { $0.seconds > 0 }) {
            let kind = network.kind(index)
            layers.append(Row(name: network.layer(index), kind: kind, passes: operations[index]))
            if let place = kinds.firstIndex(where: { $0.name == kind }) {
                kinds[place].add(operations[index])
            } else {
                kinds.append(Row(name: kind, kind: "", passes: operations[index]))
            }
        }
        var total = Row(name: "all", kind: "", passes: Pass.allCases.map { _ in Entry() })
        for layer in layers { total.add(layer.passes) }
        let trains = total.passes.dropFirst().contains { $0.seconds > 0 }
        let passes = trains ? Pass.allCases : [.forward]
        let widths = (
            (layers.map(\.name) + kinds.map(\.name) + parts.map(\.name)).map(\.count).max() ?? 0, (layers.map(\.kind.count).max() ?? 0)
        )
        func line(_ row: Row) -> String {
            let cells = passes.map { row.passes[$0.rawValue] }.map { entry in
                Self.right(entry.seconds > 0 ? milliseconds(entry.seconds) : "", 10) + Self.right(entry.gigaflops.map { Progress.fixed($0, 0) } ?? "", 9)
            }
            return Self.left(row.name, widths.0 + 2) + Self.left(row.kind, widths.1) + cells.joined() + share(row.seconds)
        }
        let blank = String(repeating: " ", count: widths.0 + 2 + widths.1)
        var lines = [
            "\(batches) batches, \(images) images in \(Progress.duration(seconds)) on \(Parallel.threads) "
                + "thread\(Parallel.threads == 1 ? "" : "s"); per batch:",
            blank + passes.map { Self.right(["forward", "to data", "to weights"][$0.rawValue], 14) + "     " }.joined(),
            blank + passes.map { _ in Self.right("ms", 10) + Self.right("GFLOP/s", 9) }.joined() + Self.right("share", 9),
        ]
        lines += layers.map(line)
        lines.append("")
        lines += kinds.sorted { $0.seconds > $1.seconds }.map(line)
        lines.append("")
        lines += parts.map { part in
            Self.left(part.name, widths.0 + 2) + Self.left("", widths.1) + Self.right(milliseconds(part.entry.seconds), 10)
                + String(repeating: " ", count: 19 * passes.count - 10) + share(part.entry.seconds)
        }
        lines.append(
            Self.left("all", widths.0 + 2) + Self.left("", widths.1) + Self.right(milliseconds(seconds), 10)
                + String(repeating: " ", count: 19 * passes.count - 10) + share(seconds))
        lines.append("GFLOP/s are those of the direct algorithm: Winograd's takes fewer, so its rate may lie above what the machine can do")
        if passes.count > 1 { lines.append("where the time to data is empty, both gradients are computed at once and counted under weights; the first layer needs none to data") }
        return lines.joined(separator: "\n")
    }

    private struct Row {
        var name: String
        var kind: String
        var passes: [Entry]

        var seconds: Double { passes.reduce(0) { $0 + $1.seconds } }

        mutating func add(_ other: [Entry]) {
            for index in passes.indices { passes[index] += other[index] }
        }
    }

    private func milliseconds(_ seconds: Double) -> String { Progress.fixed(1000 * seconds / Double(max(1, batches)), 2) }
    private func share(_ part: Double) -> String { Self.right(Progress.fixed(100 * part / max(seconds, 1e-12), 1) + " %", 9) }

    private static func left(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
    private static func right(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
}

import Platform
import ToolSupport

/// A numeric range with round tick values.
public struct Axis: Equatable, Sendable {
    public let lower, upper: Double
    public let ticks: [Double]
    /// Decimal places needed to tell the ticks apart.
    public let digits: Int

    /// Makes an axis with round ends around `values`. If all values are equal, it adds a margin on both sides.
    ///
    /// - Parameters:
    ///   - count: the approximate number of ticks.
    ///   - isCount: whether ticks are whole numbers only.
    public init(_ values: [Double], ticks count: Int = 5, isCount: Bool = false) {
        // Values too large for a chart are drawn at its edge.
        let finite = values.filter(\.isFinite).map { abs($0) < 1e-15 ? 0 : min(1e15, max(-1e15, $0)) }
        var low = finite.min() ?? 0, high = finite.max() ?? 1
        if high - low <= 1e-9 * max(abs(low), abs(high)) {
            let room = max(abs(low) * 0.1, isCount ? 1 : 1e-6)
            (low, high) = (low - room, high + room)
        }
        let rough = (high - low) / Double(max(1, count)), power = pow(10, floor(log10(rough)))
        let round = [1, 2, 2.5, 5, 10].first { $0 * power >= rough * 0.999 } ?? 10
        let step = isCount ? max(1, (round * power).rounded()) : round * power
        (lower, upper) = ((low / step).rounded(.down) * step, (high / step).rounded(.up) * step)
        let first = lower
        ticks = (0...Int(((upper - lower) / step).rounded())).map { first + Double($0) * step }
        digits = (0...9).first { let scaled = step * pow(10, Double($0)); return abs(scaled - scaled.rounded()) < 1e-6 * scaled } ?? 9
    }

    /// The position of a value on the axis: 0 at the lower end, 1 at the upper, clamped to this range.
    public func share(_ value: Double) -> Double { min(1, max(0, (value - lower) / (upper - lower))) }

    public func name(_ tick: Double) -> String { Progress.fixed(tick, digits) }
}

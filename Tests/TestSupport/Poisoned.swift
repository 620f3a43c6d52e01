public import Testing

/// Memory for outputs: NaN until it is written, guarded on both sides.
public final class Poisoned: @unchecked Sendable {
    public let count: Int
    public let pointer: UnsafeMutablePointer<Float>
    private static let guards = 32
    private static let mark: Float = -7.25e33

    public init(_ count: Int) {
        self.count = count
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: count + 2 * Self.guards)
        memory.initialize(repeating: Self.mark, count: count + 2 * Self.guards)
        pointer = memory + Self.guards
        pointer.update(repeating: .nan, count: count)
    }

    /// Memory to accumulate into.
    public convenience init(_ values: [Float]) {
        self.init(values.count)
        for (i, value) in values.enumerated() { pointer[i] = value }
    }

    deinit { (pointer - Self.guards).deallocate() }

    /// All elements, for functions that take buffers.
    public var all: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: pointer, count: count) }

    /// The written values. It is an issue if anything beside them was written.
    public func values(sourceLocation: SourceLocation = #_sourceLocation) -> [Float] {
        let outside = (1...Self.guards).map { pointer[-$0] } + (0..<Self.guards).map { pointer[count + $0] }
        #expect(outside.allSatisfy { $0 == Self.mark }, "memory beside the output was written", sourceLocation: sourceLocation)
        return Array(UnsafeBufferPointer(start: pointer, count: count))
    }
}

/// The largest difference, relative to the largest expected number; infinite if anything is NaN.
public func largestError(_ found: [Float], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    let scale = expected.reduce(1e-30) { max($0, abs($1)) }
    var worst = 0.0
    for (a, b) in zip(found, expected) {
        let difference = abs(Double(a) - b)
        guard difference.isFinite else { return .infinity }
        worst = max(worst, difference)
    }
    return worst / scale
}

/// The largest error; infinite if one is NaN, which `max()` ignores.
public func largest(_ errors: some Sequence<Double>) -> Double { errors.reduce(0) { $1.isNaN ? .infinity : max($0, $1) } }

/// Where two arrays first differ; nil if they are equal. For long arrays, where a failed `==` would print every
/// difference.
public func firstDifference(_ a: [Float], _ b: [Float]) -> Int? {
    zip(a, b).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? (a.count == b.count ? nil : min(a.count, b.count))
}

/// Expects that steps in random directions from `x` change `f` as `gradient` predicts.
public func expectDerivative(
    _ gradient: [Float], of f: ([Float]) -> Double, at x: [Float], step: Float, tolerance: Double, sourceLocation: SourceLocation = #_sourceLocation
) {
    precondition(gradient.count == x.count)
    for number in 0..<3 {
        let direction = formula("direction \(number)", x.count)
        let ahead = zip(x, direction).map { $0 + step * $1 }, behind = zip(x, direction).map { $0 - step * $1 }
        // The actual step, after rounding.
        let predicted = zip(gradient, zip(ahead, behind)).reduce(0) { $0 + Double($1.0) * (Double($1.1.0) - Double($1.1.1)) }
        let measured = f(ahead) - f(behind)
        // If the direction happens to be orthogonal to the gradient, the error is relative to the gradient's size.
        let size = 2 * Double(step) * gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() / 3.0.squareRoot()
        #expect(abs(measured - predicted) <= tolerance * max(abs(predicted), size), "direction \(number)", sourceLocation: sourceLocation)
    }
}

/// Σ a·b
public func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }

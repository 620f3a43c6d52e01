public import Kernels
public import Testing

/// Scratch filled with NaN, followed by a margin that must not change.
///
/// A kernel that assumes zeroed scratch, or reads outside its part, produces NaN.
public final class MeasuredScratch: @unchecked Sendable {
    public let scratch: Scratch
    private let need: Scratch.Need
    private static let margin = 4096
    private static let mark = Float(bitPattern: 0xFFC1_2345)

    public init(workers: Int = 1, _ need: Scratch.Need) {
        self.need = need
        scratch = Scratch(workers: workers)
        scratch.reserve(.init(worker: need.worker + Self.margin, shared: need.shared + Self.margin))
        for (memory, count) in parts {
            memory.update(repeating: .nan, count: count)
            (memory + count).update(repeating: Self.mark, count: Self.margin)
        }
    }

    /// It is an issue if more was written than needed.
    public func expectWithin(sourceLocation: SourceLocation = #_sourceLocation) {
        for (memory, count) in parts {
            let touched = (0..<Self.margin).first { memory[count + $0].bitPattern != Self.mark.bitPattern }
            #expect(touched == nil, "scratch is written behind its \(count) floats", sourceLocation: sourceLocation)
        }
    }

    private var parts: [(UnsafeMutablePointer<Float>, Int)] {
        (0..<scratch.workers).map { (scratch.pointer($0), need.worker) } + [(scratch.shared, need.shared)]
    }
}

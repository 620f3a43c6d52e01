/// Where one parameter, its gradient and its momentum lie: three buffers of one size, owned by someone else.
public struct ParameterBuffer {
    public let values: UnsafeMutablePointer<Float>
    public let gradient: UnsafePointer<Float>
    /// The optimizer's state; zeros before the first step.
    public let momentum: UnsafeMutablePointer<Float>
    public let count: Int
    /// Whether weight decay applies. SEED and MoCo decay everything.
    public let decays: Bool

    public init(
        values: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>, momentum: UnsafeMutablePointer<Float>, count: Int, decays: Bool = true
    ) {
        self.values = values
        self.gradient = gradient
        self.momentum = momentum
        self.count = count
        self.decays = decays
    }
}

/// A list of buffers cut into pieces of at most 32768 numbers, the same for any number of threads.
struct Pieces {
    static let size = 32768
    private(set) var pieces: [(buffer: Int, range: Range<Int>)] = []

    init(_ counts: [Int]) {
        for (buffer, count) in counts.enumerated() {
            for start in stride(from: 0, to: count, by: Pieces.size) {
                pieces.append((buffer, start..<min(count, start + Pieces.size)))
            }
        }
    }
}

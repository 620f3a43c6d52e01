/// The buffers of one parameter, its gradient and its optimizer state: all of one size and not owned.
public struct ParameterBuffer {
    public let values: UnsafeMutablePointer<Float>
    public let gradient: UnsafePointer<Float>
    /// The optimizer's state; zeros before the first step.
    public let momentum: UnsafeMutablePointer<Float>
    /// The second slot, for optimizers that have one (``Optimizer/slots``).
    public let square: UnsafeMutablePointer<Float>?
    public let count: Int
    /// Whether weight decay applies. SEED and MoCo decay everything.
    public let decays: Bool
    /// Whether LARS adapts the rate to the norm; other optimizers ignore it.
    public let adapts: Bool
    /// The parameter's own learning rate; nil to use that of the step.
    public let learningRate: Double?

    public init(
        values: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>, momentum: UnsafeMutablePointer<Float>,
        square: UnsafeMutablePointer<Float>? = nil, count: Int, decays: Bool = true, adapts: Bool = true, learningRate: Double? = nil
    ) {
        self.values = values
        self.gradient = gradient
        self.momentum = momentum
        self.square = square
        self.count = count
        self.decays = decays
        self.adapts = adapts
        self.learningRate = learningRate
    }
}

/// Splits a list of buffers into pieces of at most 32768 numbers, independently of the number of threads.
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

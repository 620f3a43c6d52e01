import Kernels
import Parallel

/// An algorithm for some directions of a ``Convolution``, for the shapes that it accepts.
protocol ConvolutionAlgorithm: Sendable {
    /// nil if it does not support the shape, or if the algorithms after it are faster.
    init?(_ window: Window, K: Int)

    /// The directions that it implements for this shape.
    var directions: ConvolutionDirection { get }
    /// The scratch that one direction needs for up to N images.
    func scratch(_ direction: ConvolutionDirection, N: Int) -> Scratch.Need

    /// The number of floats of the weights as packed for the forward pass.
    var packedCount: Int { get }
    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>)
    func forward(_ pass: ConvolutionForward, packed: UnsafePointer<Float>)
    /// Computes y from unpacked weights, which are used for one batch only.
    func forward(_ pass: ConvolutionForward, W: UnsafePointer<Float>)
    /// The number of pieces of N images whose moments it computes; nil if it computes none.
    func momentPieces(N: Int) -> Int?

    /// Computes the sums and stores them to `dx` or accumulates them, as the epilogue says.
    func backwardData(
        dx: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch)

    /// Adds to `dW`.
    func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput?, N: Int, scratch: Scratch)
}

struct ConvolutionDirection: OptionSet, Sendable {
    let rawValue: Int
    static let forward = ConvolutionDirection(rawValue: 1)
    /// The gradient of x.
    static let data = ConvolutionDirection(rawValue: 2)
    /// The gradient of W.
    static let weights = ConvolutionDirection(rawValue: 4)
}

/// The inputs and outputs of a forward pass.
struct ConvolutionForward {
    let y: UnsafeMutablePointer<Float>
    let x: UnsafePointer<Float>
    /// What is still to be done to x, at most one of the two. Only for pointwise convolutions.
    let normalized: NormalizedInput?
    let gates: UnsafePointer<Float>?
    let N: Int
    let epilogue: Epilogue
    /// Receives the moments of y's channels.
    let moments: UnsafeMutablePointer<Double>?
    let scratch: Scratch
}

extension ConvolutionAlgorithm {
    /// Packs into the shared scratch.
    func forward(_ pass: ConvolutionForward, W: UnsafePointer<Float>) {
        pack(W, into: pass.scratch.shared)
        forward(pass, packed: pass.scratch.shared)
    }

    func momentPieces(N: Int) -> Int? { nil }

    // Defaults for directions that an algorithm does not implement.

    var packedCount: Int { missing() }
    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>) { missing() }
    func forward(_ pass: ConvolutionForward, packed: UnsafePointer<Float>) { missing() }
    func backwardData(
        dx: UnsafeMutablePointer<Float>, _ epilogue: Epilogue, dy: UnsafePointer<Float>, W: UnsafePointer<Float>, N: Int, scratch: Scratch
    ) { missing() }
    func backwardWeights(
        dW: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, normalized: NormalizedInput?, N: Int, scratch: Scratch
    ) { missing() }

    private func missing() -> Never { preconditionFailure("\(type(of: self)) does not have this direction") }
}

/// dW += the sums of all parts, in order.
func addParts(_ partial: UnsafePointer<Float>, _ parts: Int, count: Int, to dW: UnsafeMutablePointer<Float>) {
    let runs = max(1, min(count / 1024, count * parts / 65536))
    Parallel.forEach(runs) { run, _ in
        let own = Parallel.part(run, of: runs, in: count)
        for part in 0..<parts { Rows.add(partial + part * count + own.lowerBound, to: dW + own.lowerBound, count: own.count) }
    }
}

import Kernels
import Parallel

/// A way to compute some directions of a ``Convolution``, for the shapes that it wants.
protocol ConvolutionAlgorithm: Sendable {
    /// nil where it cannot do the shape, or the algorithms behind it are faster.
    init?(_ window: Window, K: Int)

    /// Those it wants to do.
    var directions: ConvolutionDirection { get }
    /// What one direction needs for up to N images.
    func scratch(_ direction: ConvolutionDirection, N: Int) -> Scratch.Need

    /// Floats of the weights as the forward pass wants them.
    var packedCount: Int { get }
    func pack(_ W: UnsafePointer<Float>, into packed: UnsafeMutablePointer<Float>)
    func forward(_ pass: ConvolutionForward, packed: UnsafePointer<Float>)
    /// From weights that are not packed, which are there for one batch only.
    func forward(_ pass: ConvolutionForward, W: UnsafePointer<Float>)
    /// Pieces of N images whose moments it finds; nil if it does not.
    func momentPieces(N: Int) -> Int?

    /// Makes `dx` of the sums as the epilogue says, which stores or accumulates.
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

/// What a forward pass reads and writes.
struct ConvolutionForward {
    let y: UnsafeMutablePointer<Float>
    let x: UnsafePointer<Float>
    /// What is still to be done to x; not both. Of pointwise convolutions only.
    let normalized: NormalizedInput?
    let gates: UnsafePointer<Float>?
    let N: Int
    let epilogue: Epilogue
    /// Where moments of y's channels go.
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

    // Of directions that it has not.

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

public import Kernels
import Parallel

/// A stand-alone activation, for places where no other layer applies it.
public struct Elementwise: Sendable {
    public let activation: Activation

    public init(_ activation: Activation) { self.activation = activation }

    /// Sets y = activation(x). y may be x itself.
    public func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, count: Int) {
        activation.apply(Forward(y: y, x: x, count: count))
    }

    private struct Forward: ActivationBody {
        let y: UnsafeMutablePointer<Float>
        let x: UnsafePointer<Float>
        let count: Int
        func run<A: ActivationFunction>(_: A.Type) { Elementwise.map(y, count) { A.value(x.vector($0, lanes: $1)) } }
    }

    /// Sets dx = dy · activation′(x). dx may be dy itself.
    public func backward(dx: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, x: UnsafePointer<Float>, count: Int) {
        activation.apply(Backward(dx: dx, dy: dy, x: x, count: count))
    }

    private struct Backward: ActivationBody {
        let dx: UnsafeMutablePointer<Float>
        let dy, x: UnsafePointer<Float>
        let count: Int
        func run<A: ActivationFunction>(_: A.Type) { Elementwise.map(dx, count) { A.gradient(dy.vector($0, lanes: $1), at: x.vector($0, lanes: $1)) } }
    }

    /// Sets y[i] = value(i), sixteen at a time and fewer at the end. The pieces do not depend on the number of threads.
    static func map(_ y: UnsafeMutablePointer<Float>, _ count: Int, _ value: (_ offset: Int, _ lanes: Int) -> Vector) {
        let piece = 16384
        Parallel.forEach((count + piece - 1) / piece) { number, _ in
            let start = number * piece
            forEachVector(min(piece, count - start)) { i, lanes in y.store(value(start + i, lanes), start + i, lanes: lanes) }
        }
    }
}

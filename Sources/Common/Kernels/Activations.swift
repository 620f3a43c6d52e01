/// The function that a layer applies to its sums before they are stored.
public enum Activation: Sendable {
    case none, relu, relu6, hardSwish, silu, gelu

    /// Calls `body` with the function's type. This is the only place where the value becomes a type for which loops are
    /// specialized.
    @inlinable @inline(__always)
    public func apply<Body: ActivationBody>(_ body: Body) -> Body.Result {
        switch self {
        case .none: body.run(Identity.self)
        case .relu: body.run(RectifiedLinear.self)
        case .relu6: body.run(RectifiedLinear6.self)
        case .hardSwish: body.run(HardSwish.self)
        case .silu: body.run(SiLU.self)
        case .gelu: body.run(GELU.self)
        }
    }

    /// As in its ``ActivationFunction``.
    public var isInvertible: Bool { apply(IsInvertible()) }
    public var isExpensive: Bool { apply(IsExpensive()) }

    private struct IsInvertible: ActivationBody {
        func run<A: ActivationFunction>(_: A.Type) -> Bool { A.isInvertible }
    }

    private struct IsExpensive: ActivationBody {
        func run<A: ActivationFunction>(_: A.Type) -> Bool { A.isExpensive }
    }
}

/// Code that uses an activation, specialized for each.
public protocol ActivationBody {
    associatedtype Result
    func run<A: ActivationFunction>(_: A.Type) -> Result
}

/// A scalar activation function and its derivative, for loops that are specialized for each.
public protocol ActivationFunction {
    static func value(_ z: Vector) -> Vector
    /// dy · dvalue/dz
    static func gradient(_ dy: Vector, at z: Vector) -> Vector
    /// Whether the derivative at z equals that at the value of z, so that a backward pass may read the value instead.
    static var isInvertible: Bool { get }
    /// Whether it costs more than a memory access: an exponential.
    static var isExpensive: Bool { get }
}

extension ActivationFunction {
    @inlinable
    public static var isInvertible: Bool { @inline(__always) get { false } }
    @inlinable
    public static var isExpensive: Bool { @inline(__always) get { false } }
}

/// z itself.
public enum Identity: ActivationFunction {
    @inlinable
    public static var isInvertible: Bool { @inline(__always) get { true } }
    @inlinable @inline(__always)
    public static func value(_ z: Vector) -> Vector { z }
    @inlinable @inline(__always)
    public static func gradient(_ dy: Vector, at z: Vector) -> Vector { dy }
}

/// max(z, 0), where NaN stays NaN. The derivative at 0 is 0, as in PyTorch.
public enum RectifiedLinear: ActivationFunction {
    @inlinable
    public static var isInvertible: Bool { @inline(__always) get { true } }
    @inlinable @inline(__always)
    public static func value(_ z: Vector) -> Vector { pointwiseMax(z, Vector(repeating: 0)) }
    @inlinable @inline(__always)
    public static func gradient(_ dy: Vector, at z: Vector) -> Vector { dy.replacing(with: 0, where: z .<= 0) }
}

/// min(max(z, 0), 6), where NaN stays NaN, as in MobileNetV2. The derivative at 0 and at 6 is 0, as in PyTorch.
public enum RectifiedLinear6: ActivationFunction {
    @inlinable
    public static var isInvertible: Bool { @inline(__always) get { true } }
    @inlinable @inline(__always)
    public static func value(_ z: Vector) -> Vector { pointwiseMin(pointwiseMax(z, Vector(repeating: 0)), Vector(repeating: 6)) }
    @inlinable @inline(__always)
    public static func gradient(_ dy: Vector, at z: Vector) -> Vector { dy.replacing(with: 0, where: (z .<= 0) .| (z .>= 6)) }
}

/// z · min(max(z + 3, 0), 6) / 6: Howard et al., "Searching for MobileNetV3", ICCV 2019, section 5.2.
public enum HardSwish: ActivationFunction {
    @inlinable @inline(__always)
    public static func value(_ z: Vector) -> Vector { z * pointwiseMin(pointwiseMax(z + 3, Vector(repeating: 0)), Vector(repeating: 6)) * (1 / 6) }
    /// The derivative is 0 below −3, 1 above 3, and z/3 + ½ in between.
    @inlinable @inline(__always)
    public static func gradient(_ dy: Vector, at z: Vector) -> Vector {
        let slope = z * (1 / 3) + 0.5
        return dy * slope.replacing(with: 0, where: z .<= -3).replacing(with: 1, where: z .>= 3)
    }
}

/// z · sigmoid(z): Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016; EfficientNet's "swish".
public enum SiLU: ActivationFunction {
    @inlinable
    public static var isExpensive: Bool { @inline(__always) get { true } }
    @inlinable @inline(__always)
    public static func value(_ z: Vector) -> Vector { z / (1 + Vector.exponential(-z)) }
    /// With s = sigmoid(z): s · (1 + z·(1 − s)).
    @inlinable @inline(__always)
    public static func gradient(_ dy: Vector, at z: Vector) -> Vector {
        let s = Vector.sigmoid(z)
        return dy * (s + s * z * (1 - s))
    }
}

/// z · Φ(z), where Φ(z) = (1 + erf(z/√2)) / 2 is the normal distribution function: Hendrycks and Gimpel, "Gaussian
/// Error Linear Units", 2016; used by transformers.
public enum GELU: ActivationFunction {
    @inlinable
    public static var isExpensive: Bool { @inline(__always) get { true } }
    @inlinable @inline(__always)
    public static func value(_ z: Vector) -> Vector { 0.5 * z * (1 + Vector.errorFunction(z * 0.707_106_77)) }
    /// Φ(z) + z·φ(z), where φ(z) = e^(−z²/2) / √(2π).
    @inlinable @inline(__always)
    public static func gradient(_ dy: Vector, at z: Vector) -> Vector {
        let distribution = 0.5 * (1 + Vector.errorFunction(z * 0.707_106_77)), density = 0.398_942_28 * Vector.exponential(-0.5 * z * z)
        return dy * distribution.addingProduct(z, density)
    }
}

/// The larger of each pair; a NaN in `a` stays NaN (as in PyTorch's ReLU).
@inlinable @inline(__always)
public func pointwiseMax(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: a .< b) }

/// The smaller of each pair; a NaN in `a` stays NaN.
@inlinable @inline(__always)
public func pointwiseMin(_ a: Vector, _ b: Vector) -> Vector { a.replacing(with: b, where: a .> b) }

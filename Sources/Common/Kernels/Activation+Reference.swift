import Platform

extension Activation {
    /// The activation and its derivative at z by their definitions, in double precision: the reference for tests of the
    /// vectorized ``ActivationFunction``.
    public func reference(_ z: Double) -> (value: Double, derivative: Double) {
        switch self {
        case .none: return (z, 1)
        case .relu: return (max(0, z), z > 0 ? 1 : 0)
        case .relu6: return (min(max(0, z), 6), z > 0 && z < 6 ? 1 : 0)
        case .hardSwish: return (z * min(max(z + 3, 0), 6) / 6, z <= -3 ? 0 : z >= 3 ? 1 : (2 * z + 3) / 6)
        case .silu:
            let s = 1 / (1 + exp(-z))
            return (z * s, s + z * s * (1 - s))
        case .gelu:
            let distribution = erfc(-z / 2.squareRoot()) / 2, density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
            return (z * distribution, distribution + z * density)
        }
    }
}

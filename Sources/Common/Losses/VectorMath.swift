import Kernels

/// Sixteen numbers at a time.
typealias Lanes = Vector

/// Functions over many numbers that the standard library has for one at a time only.
public enum VectorMath {
    /// Replaces every number x by eˣ; see `Vector.exponential` for its limits.
    public static func exponential(_ values: UnsafeMutableBufferPointer<Float>) {
        guard let base = values.baseAddress else { return }
        let whole = values.count & ~15
        for i in stride(from: 0, to: whole, by: 16) { store(.exponential(load(base + i)), base + i) }
        guard whole < values.count else { return }
        var last = Lanes(repeating: 0)
        for i in whole..<values.count { last[i - whole] = values[i] }
        last = .exponential(last)
        for i in whole..<values.count { values[i] = last[i - whole] }
    }

    @inline(__always)
    static func load(_ pointer: UnsafePointer<Float>) -> Lanes {
        UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
    }

    @inline(__always)
    static func load(_ pointer: UnsafeMutablePointer<Float>) -> Lanes {
        UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
    }

    @inline(__always)
    static func store(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: Lanes.self)
    }
}

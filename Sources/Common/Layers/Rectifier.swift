import Kernels

/// relu(x) = max(x, 0), on its own where no other layer takes it along.
public enum Rectifier {
    /// Sets y.
    public static func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, count: Int) {
        for i in 0..<count { y[i] = x[i] < 0 ? 0 : x[i] }
    }

    /// Sets dx (which may be dy itself): dx = dy where y > 0, else 0.
    public static func backward(dx: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, y: UnsafePointer<Float>, count: Int) {
        for i in 0..<count { dx[i] = y[i] <= 0 ? 0 : dy[i] }
    }
}

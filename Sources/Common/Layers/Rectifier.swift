import Kernels
import Parallel

/// relu(x) = max(x, 0), on its own where no other layer takes it along.
public enum Rectifier {
    /// Sets y.
    public static func forward(y: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, count: Int) {
        forEachRun(count) { i, lanes in y.store(RectifiedLinear.value(x.vector(i, lanes: lanes)), i, lanes: lanes) }
    }

    /// Sets dx (which may be dy itself): dx = dy where y > 0, else 0.
    public static func backward(dx: UnsafeMutablePointer<Float>, dy: UnsafePointer<Float>, y: UnsafePointer<Float>, count: Int) {
        forEachRun(count) { i, lanes in
            dx.store(RectifiedLinear.gradient(dy.vector(i, lanes: lanes), at: y.vector(i, lanes: lanes)), i, lanes: lanes)
        }
    }

    @inline(__always)
    private static func forEachRun(_ count: Int, _ body: (_ i: Int, _ lanes: Int) -> Void) {
        let size = 32768
        Parallel.forEach((count + size - 1) / size) { run, _ in
            forEachVector(min(size, count - run * size)) { i, lanes in body(run * size + i, lanes) }
        }
    }
}

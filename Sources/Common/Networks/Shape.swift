import Kernels

/// Height, width and channels of a value: (N, H, W, C) for N images.
public struct Shape: Sendable, Equatable {
    public let H, W, C: Int

    public init(H: Int, W: Int, C: Int) { (self.H, self.W, self.C) = (H, W, C) }

    /// H·W.
    public var pixels: Int { H * W }
    /// Floats of one image.
    public var count: Int { H * W * C }

    /// What a window over this makes, with `K` channels.
    func output(of window: Window, K: Int) -> Shape { Shape(H: window.outH, W: window.outW, C: K) }

    func window(kernel: Int, stride: Int, padding: Padding) -> Window {
        switch padding {
        case .symmetric(let zeros): Window(H: H, W: W, C: C, kernel: kernel, stride: stride, padding: zeros)
        case .same: Window(sameH: H, W: W, C: C, kernel: kernel, stride: stride)
        case .uneven(let before, let after): Window(H: H, W: W, C: C, kernel: kernel, stride: stride, before: before, after: after)
        }
    }
}

/// The zeros around an image that a window reads.
public enum Padding: Sendable, Equatable {
    /// As many on each side: PyTorch's.
    case symmetric(Int)
    /// TensorFlow's SAME: as the size of the image needs, the smaller half before it.
    case same
    /// As many whatever the size is.
    case uneven(before: Int, after: Int)

    /// That which keeps the size at stride 1.
    static func keeping(_ kernel: Int) -> Padding { .symmetric(kernel / 2) }

    /// What ``same`` is of images of one size, and stays for all others.
    static func same(of size: Int, kernel: Int, stride: Int) -> Padding {
        let total = max(0, ((size + stride - 1) / stride - 1) * stride + kernel - size)
        return .uneven(before: total / 2, after: total - total / 2)
    }
}

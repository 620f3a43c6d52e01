import Kernels

/// The height, width and channels of a value: (N, H, W, C) for N images.
public struct Shape: Sendable, Equatable {
    public let H, W, C: Int

    public init(H: Int, W: Int, C: Int) { (self.H, self.W, self.C) = (H, W, C) }

    /// H·W.
    public var pixels: Int { H * W }
    /// The number of floats of one image.
    public var count: Int { H * W * C }

    /// The shape of the output of a window over this shape, with `K` channels.
    func output(of window: Window, K: Int) -> Shape { Shape(H: window.outH, W: window.outW, C: K) }

    func window(kernel: Int, stride: Int, padding: Padding) -> Window {
        switch padding {
        case .symmetric(let zeros): Window(H: H, W: W, C: C, kernel: kernel, stride: stride, padding: zeros)
        case .same: Window(sameH: H, W: W, C: C, kernel: kernel, stride: stride)
        case .uneven(let before, let after): Window(H: H, W: W, C: C, kernel: kernel, stride: stride, before: before, after: after)
        }
    }
}

/// The zero padding around an image.
public enum Padding: Sendable, Equatable {
    /// The same on each side, as in PyTorch.
    case symmetric(Int)
    /// TensorFlow's SAME: as much as the image size requires, with the smaller half before the image.
    case same
    /// Fixed amounts before and after the image, whatever its size.
    case uneven(before: Int, after: Int)

    /// The padding that keeps the size at stride 1.
    static func keeping(_ kernel: Int) -> Padding { .symmetric(kernel / 2) }

    /// The value of ``same`` for images of one size, used for all sizes.
    static func same(of size: Int, kernel: Int, stride: Int) -> Padding {
        let total = max(0, ((size + stride - 1) / stride - 1) * stride + kernel - size)
        return .uneven(before: total / 2, after: total - total / 2)
    }
}

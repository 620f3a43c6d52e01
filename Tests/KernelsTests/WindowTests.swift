import Kernels
import TestSupport
import Testing

@Suite struct WindowTests {
    static let windows = [(1, 1, 1, 1, 1, 0), (3, 7, 3, 3, 2, 1), (7, 3, 5, 7, 2, 3), (13, 13, 17, 3, 1, 1), (3, 1, 20, 7, 1, 3), (7, 13, 1, 1, 2, 0), (5, 5, 3, 2, 3, 0)]
        .map { Window(H: $0.0, W: $0.1, C: $0.2, kernel: $0.3, stride: $0.4, padding: $0.5) }

    /// The source index of each float of the patches; nil outside the image.
    func sources(_ w: Window, _ N: Int) -> [Int?] {
        (0..<(N * w.outputPixels * w.patch)).map { i in
            let c = i % w.C, s = i / w.C % w.S, r = i / w.C / w.S % w.R, place = i / w.patch
            let x = place % w.outW * w.stride + s - w.padding, y = place / w.outW % w.outH * w.stride + r - w.padding
            guard (0..<w.H).contains(y), (0..<w.W).contains(x) else { return nil }
            return ((place / w.outputPixels * w.H + y) * w.W + x) * w.C + c
        }
    }

    @Test func `sizes are PyTorch's`() {
        // ResNet's stem, its pooling, and a corner case where only padding is left beside one pixel.
        let sizes: [(Int, Int, Int, Int, Int)] = [(224, 7, 2, 3, 112), (112, 3, 2, 1, 56), (45, 7, 2, 3, 23), (1, 7, 2, 3, 1), (7, 1, 2, 0, 4)]
        for (side, kernel, stride, padding, expected) in sizes {
            let w = Window(H: side, W: side + 2 * stride, C: 3, kernel: kernel, stride: stride, padding: padding)
            #expect(w.outH == expected && w.outW == expected + 2 && w.outputPixels == expected * (expected + 2) && w.patch == kernel * kernel * 3)
        }
    }

    @Test(arguments: windows)
    func `gather copies every patch, with zeros outside the image`(_ w: Window) {
        let N = 3, x = formula("x", N * w.H * w.W * w.C), expected = sources(w, N).map { $0.map { x[$0] } ?? 0 }
        // All pixels at once, and a range from the middle of one image into the next.
        for range in [0..<(N * w.outputPixels), (w.outputPixels / 2)..<(w.outputPixels + (w.outputPixels + 1) / 2)] {
            let patches = Poisoned(range.count * w.patch)
            w.im2col(x, pixels: range, into: patches.pointer, stride: w.patch)
            #expect(firstDifference(patches.values(), Array(expected[(range.lowerBound * w.patch)..<(range.upperBound * w.patch)])) == nil)
        }
    }

    @Test(arguments: [(5, 4, 40, 1), (7, 13, 17, 2), (1, 1, 3, 1)].map { Window(H: $0.0, W: $0.1, C: $0.2, kernel: 1, stride: $0.3, padding: 0) })
    func `some columns are gathered as all are`(_ w: Window) {
        let N = 3, x = formula("x", N * w.H * w.W * w.C), range = (w.outputPixels / 2)..<(w.outputPixels + (w.outputPixels + 1) / 2)
        let all = sources(w, N).map { $0.map { x[$0] } ?? 0 }
        for columns in [0..<w.C, (w.C / 2)..<w.C, 0..<((w.C + 1) / 2)] {
            let patches = Poisoned(range.count * columns.count)
            w.im2col(x, pixels: range, columns: columns, into: patches.pointer, stride: columns.count)
            #expect(firstDifference(patches.values(), range.flatMap { place in columns.map { all[place * w.patch + $0] } }) == nil)
        }
    }

    @Test(arguments: windows)
    func `scatter adds every patch to where it came from`(_ w: Window) {
        let N = 3, before = formula("before", N * w.H * w.W * w.C), range = (w.outputPixels / 2)..<(w.outputPixels + (w.outputPixels + 1) / 2)
        let patches = formula("patches", range.count * w.patch), sources = sources(w, N)
        var expected = before.map { Double($0) }
        for (i, value) in patches.enumerated() { if let source = sources[range.lowerBound * w.patch + i] { expected[source] += Double(value) } }
        let dx = Poisoned(before)
        w.col2im(patches, pixels: range, addingTo: dx.pointer)
        #expect(largestError(dx.values(), expected) < 1e-6)
    }
}

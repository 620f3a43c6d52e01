import Kernels

// The loops of squeeze-excite over the pixels of one image, generic over the value that is summed or stored.

/// The value at a pixel of an image, `at` floats from its start, for channel `c`.
protocol PixelValue {
    func value(_ at: Int, _ c: Int, _ lanes: Int) -> Vector
}

extension SqueezeExcite {
    /// Sets sums[c] = factor · Σₚ value(p, c), from partial sums over 64 pixels.
    ///
    /// It computes one vector at a time: the compiler splits several interleaved exponentials into parts of vectors.
    func sumPixels<V: PixelValue>(_ values: V, into sums: UnsafeMutablePointer<Float>, times factor: Float, P: Int, _ share: Share) {
        @inline(__always)
        func forEachChannels(_ body: (_ c: Int, _ lanes: Int) -> Void) {
            for block in share.blocks { body(block &* 16, 16) }
            if share.rest { body(C / 16 * 16, C % 16) }
        }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: C) { memory in
            guard let some = memory.baseAddress else { return }
            forEachChannels { c, lanes in sums.store(.zero, c, lanes: lanes) }
            for first in Swift.stride(from: 0, to: P, by: 64) {
                forEachChannels { c, lanes in some.store(.zero, c, lanes: lanes) }
                for p in first..<min(P, first + 64) {
                    forEachChannels { c, lanes in some.store(some.vector(c, lanes: lanes) + values.value(p &* C &+ c, c, lanes), c, lanes: lanes) }
                }
                forEachChannels { c, lanes in sums.store(sums.vector(c, lanes: lanes) + some.vector(c, lanes: lanes), c, lanes: lanes) }
            }
            forEachChannels { c, lanes in sums.store(sums.vector(c, lanes: lanes) * factor, c, lanes: lanes) }
        }
    }

    /// Sets y[p, c] = value(p, c).
    func setPixels<V: PixelValue>(_ y: UnsafeMutablePointer<Float>, _ pixels: Range<Int>, _ values: V) {
        for p in pixels {
            let start = p &* C
            forEachVector(C) { c, lanes in y.store(values.value(start &+ c, c, lanes), start &+ c, lanes: lanes) }
        }
    }

    struct Value<R: Prologue>: PixelValue {
        let x: UnsafePointer<Float>
        let prologue: R
        @inline(__always) func value(_ at: Int, _ c: Int, _ lanes: Int) -> Vector { prologue.value(x + at, c, lanes: lanes) }
    }

    /// The same, and also writes it to y.
    struct WrittenValue<R: Prologue>: PixelValue {
        let y: UnsafeMutablePointer<Float>
        let x: UnsafePointer<Float>
        let prologue: R
        @inline(__always) func value(_ at: Int, _ c: Int, _ lanes: Int) -> Vector {
            let v = prologue.value(x + at, c, lanes: lanes)
            y.store(v, at, lanes: lanes)
            return v
        }
    }

    /// x·g
    struct GatedValue<R: Prologue>: PixelValue {
        let x, g: UnsafePointer<Float>
        let prologue: R
        @inline(__always) func value(_ at: Int, _ c: Int, _ lanes: Int) -> Vector { prologue.value(x + at, c, lanes: lanes) * g.vector(c, lanes: lanes) }
    }

    /// dy·x
    struct GateGradient<R: Prologue>: PixelValue {
        let dy, x: UnsafePointer<Float>
        let prologue: R
        @inline(__always) func value(_ at: Int, _ c: Int, _ lanes: Int) -> Vector { dy.vector(at, lanes: lanes) * prologue.value(x + at, c, lanes: lanes) }
    }

    /// ds + dy·g, where ds is the pixel's share.
    struct PixelGradient: PixelValue {
        let dy, g, ds: UnsafePointer<Float>
        @inline(__always) func value(_ at: Int, _ c: Int, _ lanes: Int) -> Vector {
            ds.vector(c, lanes: lanes).addingProduct(dy.vector(at, lanes: lanes), g.vector(c, lanes: lanes))
        }
    }
}

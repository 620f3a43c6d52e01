/// Transforms of the weights (K, 3, 3, C), packed for the products of each element, and the reverse for gradients.
extension StridedWinograd {
    /// The number of floats of the packed weights of all elements.
    public static func packedCount(C: Int, K: Int) -> Int { packedOffset(elements, C: C, K: K) }

    /// The offset of an element's weights. Elements are one line further apart than necessary, so that they do not
    /// evict each other from the cache.
    public static func packedOffset(_ element: Int, C: Int, K: Int) -> Int {
        (element == elements ? products : phases(before: element)) * C * K + element * 16
    }

    /// Computes U of panel `index` of (phases·C, K) for each element, for products V·U.
    public static func transformWeights(_ w: UnsafePointer<Float>, C: Int, K: Int, panel index: Int, into u: UnsafeMutablePointer<Float>) {
        let columns = Panels(k: C, n: K).columns(index)
        let width = Panels(k: C, n: K).stride(index)
        Winograd.forEachInputChannel(w, C: C, outputs: columns) { k, c, nine in
            forEachProduct(nine, step: 256, turned: false) { element, phase, value in
                let panel = u + packedOffset(element, C: C, K: K) + Panels.width * index * phases(element) * C
                panel.store(value, (phase * C + c) * width + k - columns.lowerBound)
            }
        }
    }

    /// The same for products that give the gradient of the input, (K, phases·C), for the input channels `range`, whose
    /// bounds are multiples of 16.
    public static func transformTurnedWeights(
        _ w: UnsafePointer<Float>, C: Int, K: Int, channels range: Range<Int>, into u: UnsafeMutablePointer<Float>
    ) {
        for k in 0..<K {
            for c in Swift.stride(from: range.lowerBound, to: range.upperBound, by: 16) {
                forEachProduct(w + k * 9 * C + c, step: C, turned: true) { element, phase, value in
                    let panels = Panels(k: K, n: phases(element) * C)
                    let (index, column) = (phase * C + c).quotientAndRemainder(dividingBy: Panels.width)
                    u.store(value, packedOffset(element, C: C, K: K) + panels.offset(index) + k * panels.stride(index) + column)
                }
            }
        }
    }

    /// Computes G g Gᵀ of each phase for sixteen channels, whose nine weights are `step` floats apart. `phase` is its
    /// index among those of the element.
    @inline(__always)
    private static func forEachProduct(
        _ w: UnsafePointer<Float>, step: Int, turned: Bool, _ body: (_ element: Int, _ phase: Int, _ value: Vector) -> Void
    ) {
        @inline(__always) func g(_ r: Int, _ s: Int) -> Vector { w.vector((turned ? 8 - 3 * r - s : 3 * r + s) * step) }
        @inline(__always) func row(_ i: Int, _ phase: Int, _ x: Four) {
            body(5 * i, phase, x.0)
            body(5 * i + 1, phase, x.1)
            body(5 * i + 2, phase, x.2)
            body(5 * i + 3, phase, x.3)
        }
        @inline(__always) func row(_ i: Int, _ phase: Int, _ x: Five) {
            row(i, phase, (x.0, x.1, x.2, x.3))
            body(5 * i + 4, phase, x.4)
        }
        do {
            let (p, q) = (weightLine(g(0, 0), g(2, 0)), weightLine(g(0, 2), g(2, 2)))
            row(0, 0, weightLine(p.0, q.0))
            row(1, 0, weightLine(p.1, q.1))
            row(2, 0, weightLine(p.2, q.2))
            row(3, 0, weightLine(p.3, q.3))
            row(4, 0, weightLine(p.4, q.4))
        }
        do {
            let (p, q) = (weightLine(g(1, 0)), weightLine(g(1, 2)))
            row(0, 1, weightLine(p.0, q.0))
            row(1, 1, weightLine(p.1, q.1))
            row(2, 1, weightLine(p.2, q.2))
            row(3, 1, weightLine(p.3, q.3))
        }
        do {
            let p = weightLine(g(0, 1), g(2, 1))
            row(0, 2, weightLine(p.0))
            row(1, 2, weightLine(p.1))
            row(2, 2, weightLine(p.2))
            row(3, 2, weightLine(p.3))
            row(4, 1, weightLine(p.4))
        }
        do {
            let p = weightLine(g(1, 1))
            row(0, 3, weightLine(p.0))
            row(1, 3, weightLine(p.1))
            row(2, 3, weightLine(p.2))
            row(3, 3, weightLine(p.3))
        }
    }

    /// Adds Gᵀ du G of each phase to the weights dw (3, 3, C) of output channel k, from row `k` of du (25, K,
    /// phases·C).
    public static func addWeightGradient(_ du: UnsafePointer<Float>, _ elements: Elements, row k: Int, C: Int, to dw: UnsafeMutablePointer<Float>) {
        let lines = (elements.line(0, row: k), elements.line(1, row: k), elements.line(2, row: k), elements.line(3, row: k), elements.line(4, row: k))
        for c in Swift.stride(from: 0, to: C, by: 16) {
            let du = du + c
            @inline(__always) func four(_ line: (first: Int, step: Int, last: Int), _ phase: Int) -> Vector {
                weightGradientLine(Winograd.loadFour(du + line.first + phase, line.step))
            }
            @inline(__always) func five(_ line: (first: Int, step: Int, last: Int), _ phase: Int) -> (Vector, Vector) {
                let p = du + line.first + phase
                return weightGradientLine((p.vector(0), p.vector(line.step), p.vector(2 * line.step), p.vector(3 * line.step), du.vector(line.last + phase)))
            }
            @inline(__always) func add(_ value: Vector, _ tap: Int) {
                let element = dw + tap * C + c
                element.store(element.vector(0) + value, 0)
            }
            do {
                let (p, q, r, s, t) = (five(lines.0, 0), five(lines.1, 0), five(lines.2, 0), five(lines.3, 0), five(lines.4, 0))
                let left = weightGradientLine((p.0, q.0, r.0, s.0, t.0)), right = weightGradientLine((p.1, q.1, r.1, s.1, t.1))
                add(left.0, 0)
                add(left.1, 6)
                add(right.0, 2)
                add(right.1, 8)
            }
            do {
                let (p, q, r, s) = (five(lines.0, C), five(lines.1, C), five(lines.2, C), five(lines.3, C))
                add(weightGradientLine((p.0, q.0, r.0, s.0)), 3)
                add(weightGradientLine((p.1, q.1, r.1, s.1)), 5)
            }
            do {
                let upright = weightGradientLine(
                    (four(lines.0, 2 * C), four(lines.1, 2 * C), four(lines.2, 2 * C), four(lines.3, 2 * C), four(lines.4, C)))
                add(upright.0, 1)
                add(upright.1, 7)
            }
            add(weightGradientLine((four(lines.0, 3 * C), four(lines.1, 3 * C), four(lines.2, 3 * C), four(lines.3, 3 * C))), 4)
        }
    }
}

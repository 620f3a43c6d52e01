import Kernels

/// Limited-memory BFGS (Nocedal & Wright, Numerical Optimization, algorithms 7.4 and 7.5), for smooth convex functions.
enum LBFGS {
    struct Outcome {
        var value: Double
        var iterations = 0
        /// ‖gradient‖ at the end.
        var gradientNorm: Double
        /// Whether the gradient reached the tolerance; else the iterations ran out or rounding stopped the descent.
        var converged = false
    }

    /// Moves `x` to a minimum.
    ///
    /// - Parameters:
    ///   - tolerance: the norm of the gradient at which to stop.
    ///   - memory: how many steps the curvature is estimated from.
    ///   - precondition: multiplies by a first approximation of the inverse curvature.
    ///   - function: returns the value at its first argument and sets its second to the gradient there.
    static func minimize(
        _ x: FloatBuffer, tolerance: Double, maximumIterations: Int, memory: Int = 10,
        precondition: @escaping (UnsafeMutablePointer<Float>) -> Void, _ function: (FloatBuffer, FloatBuffer) -> Double
    ) -> Outcome {
        let n = x.count
        var gradient = FloatBuffer(n)
        var nextGradient = FloatBuffer(n)
        let start = FloatBuffer(n)
        let direction = FloatBuffer(n)
        var history = History(memory: memory, size: n, precondition: precondition)
        var outcome = Outcome(value: function(x, gradient), gradientNorm: 0)
        var hasStalled = false
        while true {
            outcome.gradientNorm = VectorAlgebra.norm(gradient.pointer, n)
            outcome.converged = outcome.gradientNorm <= tolerance
            guard !outcome.converged, outcome.iterations < maximumIterations else { return outcome }
            history.setDirection(direction, for: gradient)
            let slope = VectorAlgebra.dot(direction.pointer, gradient.pointer, n)
            guard slope < 0 else {
                // Rounding has spoiled the curvature estimate: discard it and restart.
                guard !history.isEmpty else { return outcome }
                history.forget()
                continue
            }
            outcome.iterations += 1
            start.pointer.update(from: x.pointer, count: n)
            guard let value = search(x, from: start, direction, slope: slope, value: outcome.value, nextGradient, function) else {
                // Single precision cannot resolve a lower value.
                x.pointer.update(from: start.pointer, count: n)
                guard !history.isEmpty, !hasStalled else { return outcome }
                history.forget()
                hasStalled = true
                continue
            }
            outcome.value = value
            history.remember(x, nextGradient, after: start, gradient)
            swap(&gradient, &nextGradient)
        }
    }

    /// Searches along `direction` until the value is low enough, and returns it; nil where no length succeeds.
    private static func search(
        _ x: FloatBuffer, from start: FloatBuffer, _ direction: FloatBuffer, slope: Double, value: Double, _ gradient: FloatBuffer,
        _ function: (FloatBuffer, FloatBuffer) -> Double
    ) -> Double? {
        let n = x.count
        var length = 1.0
        for _ in 0..<25 {
            for i in 0..<n { x.pointer[i] = start.pointer[i] + Float(length) * direction.pointer[i] }
            let next = function(x, gradient)
            guard next.isFinite else {
                length *= 0.1
                continue
            }
            if next <= value + 1e-4 * length * slope { return next }
            // Near the minimum, values differ only by rounding, and slopes are more reliable (the approximate Wolfe
            // condition of Hager & Zhang 2005).
            if next <= value + 1e-7 * abs(value), VectorAlgebra.dot(direction.pointer, gradient.pointer, n) <= -0.8 * slope { return next }
            // The minimum of the interpolating parabola, clamped to a safe range.
            let guess = -slope * length * length / (2 * (next - value - slope * length))
            length = min(max(guess, 0.1 * length), 0.5 * length)
        }
        return nil
    }

    /// The last steps and the curvature that they imply.
    private struct History {
        private struct Step {
            /// s = x − previous x, and y likewise for the gradients.
            let s: FloatBuffer
            let y: FloatBuffer
            /// 1 / sᵀy
            var rho = 0.0
        }

        private let memory: Int
        private let size: Int
        private let precondition: (UnsafeMutablePointer<Float>) -> Void
        private var steps: [Step] = []
        private let product: FloatBuffer

        init(memory: Int, size: Int, precondition: @escaping (UnsafeMutablePointer<Float>) -> Void) {
            self.memory = memory
            self.size = size
            self.precondition = precondition
            product = FloatBuffer(size)
        }

        var isEmpty: Bool { steps.isEmpty }
        mutating func forget() { steps.removeAll() }

        /// direction = −H·gradient by the two-loop recursion, H₀ = the preconditioner times sᵀy / yᵀH₀y of the last
        /// step.
        func setDirection(_ direction: FloatBuffer, for gradient: FloatBuffer) {
            let d = direction.pointer
            for i in 0..<size { d[i] = -gradient.pointer[i] }
            var alphas: [Double] = []
            for step in steps.reversed() {
                let alpha = step.rho * VectorAlgebra.dot(step.s.pointer, d, size)
                alphas.append(alpha)
                VectorAlgebra.add(Float(-alpha), step.y.pointer, to: d, size)
            }
            precondition(d)
            if let last = steps.last {
                product.pointer.update(from: last.y.pointer, count: size)
                precondition(product.pointer)
                let scale = Float(1 / (last.rho * VectorAlgebra.dot(last.y.pointer, product.pointer, size)))
                for i in 0..<size { d[i] *= scale }
            }
            for (step, alpha) in zip(steps, alphas.reversed()) {
                let beta = step.rho * VectorAlgebra.dot(step.y.pointer, d, size)
                VectorAlgebra.add(Float(alpha - beta), step.s.pointer, to: d, size)
            }
        }

        /// Stores a step, unless rounding left it without curvature.
        mutating func remember(_ x: FloatBuffer, _ gradient: FloatBuffer, after start: FloatBuffer, _ startGradient: FloatBuffer) {
            var step = steps.count == memory ? steps.removeFirst() : Step(s: FloatBuffer(size), y: FloatBuffer(size))
            for i in 0..<size {
                step.s.pointer[i] = x.pointer[i] - start.pointer[i]
                step.y.pointer[i] = gradient.pointer[i] - startGradient.pointer[i]
            }
            let curvature = VectorAlgebra.dot(step.s.pointer, step.y.pointer, size)
            guard curvature > 1e-10 * VectorAlgebra.norm(step.s.pointer, size) * VectorAlgebra.norm(step.y.pointer, size) else { return }
            step.rho = 1 / curvature
            steps.append(step)
        }
    }
}

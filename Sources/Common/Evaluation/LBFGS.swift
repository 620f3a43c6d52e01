import Kernels

/// Limited-memory BFGS (Nocedal & Wright, Numerical Optimization, algorithm 7.4), for smooth convex functions.
enum LBFGS {
    struct Outcome {
        var value: Double
        var iterations = 0
        var evaluations = 1
        /// ‖gradient‖ at the end.
        var gradientNorm: Double
        /// The gradient became as small as wanted; else the steps were used up or rounding stopped the descent.
        var converged = false
    }

    /// Moves `x` to a minimum.
    ///
    /// - Parameters:
    ///   - tolerance: the gradient's norm at which it is done.
    ///   - memory: how many steps the curvature is guessed from.
    ///   - function: returns the value at its first argument and sets its second to the gradient there.
    ///   - precondition: multiplies with a guess of the inverse curvature; the identity where it is nil.
    static func minimize(
        _ x: FloatBuffer, tolerance: Double, maximumIterations: Int, memory: Int = 10,
        precondition: ((UnsafeMutablePointer<Float>) -> Void)? = nil,
        _ function: (FloatBuffer, FloatBuffer) -> Double
    ) -> Outcome {
        let n = x.count
        var gradient = FloatBuffer(n)
        var nextGradient = FloatBuffer(n)
        let start = FloatBuffer(n)
        let direction = FloatBuffer(n)
        var steps: [(s: FloatBuffer, y: FloatBuffer, rho: Double)] = []
        var spare: [(s: FloatBuffer, y: FloatBuffer)] = []
        var stalls = 0

        let value = function(x, gradient)
        var outcome = Outcome(value: value, gradientNorm: norm(gradient))
        while outcome.iterations < maximumIterations {
            if outcome.gradientNorm <= tolerance {
                outcome.converged = true
                break
            }
            // direction = −H·gradient, H from the steps kept: the two loops.
            for i in 0..<n { direction.pointer[i] = -gradient.pointer[i] }
            var alphas: [Double] = []
            for step in steps.reversed() {
                let alpha = step.rho * VectorAlgebra.dot(step.s.pointer, direction.pointer, n)
                alphas.append(alpha)
                VectorAlgebra.add(Float(-alpha), step.y.pointer, to: direction.pointer, n)
            }
            precondition?(direction.pointer)
            if let last = steps.last {
                let scale: Double
                if let precondition {
                    // yᵀH₀y needs a product of its own; `start` is free here.
                    start.pointer.update(from: last.y.pointer, count: n)
                    precondition(start.pointer)
                    scale = 1 / (last.rho * VectorAlgebra.dot(last.y.pointer, start.pointer, n))
                } else {
                    scale = 1 / (last.rho * VectorAlgebra.dot(last.y.pointer, last.y.pointer, n))
                }
                for i in 0..<n { direction.pointer[i] *= Float(scale) }
            }
            for (step, alpha) in zip(steps, alphas.reversed()) {
                let beta = step.rho * VectorAlgebra.dot(step.y.pointer, direction.pointer, n)
                VectorAlgebra.add(Float(alpha - beta), step.s.pointer, to: direction.pointer, n)
            }

            let slope = VectorAlgebra.dot(direction.pointer, gradient.pointer, n)
            if !(slope < 0) {
                // Rounding spoiled the curvature: forget it and go straight down.
                guard !steps.isEmpty else { break }
                steps.removeAll()
                continue
            }
            var length = steps.isEmpty && precondition == nil ? min(1, 1 / outcome.gradientNorm) : 1
            start.pointer.update(from: x.pointer, count: n)
            var found = false
            for _ in 0..<25 {
                for i in 0..<n { x.pointer[i] = start.pointer[i] + Float(length) * direction.pointer[i] }
                let next = function(x, nextGradient)
                outcome.evaluations += 1
                // Near the minimum the values differ by rounding alone, and the slopes tell more (Hager & Zhang 2005, approximate Wolfe conditions).
                let isLower = next <= outcome.value + 1e-4 * length * slope
                let isLevel = next <= outcome.value + 1e-7 * abs(outcome.value)
                if next.isFinite, isLower || (isLevel && VectorAlgebra.dot(direction.pointer, nextGradient.pointer, n) <= -0.8 * slope) {
                    outcome.value = next
                    found = true
                    break
                }
                // The minimum of the parabola through what is known, kept within reason.
                let guess = next.isFinite ? -slope * length * length / (2 * (next - outcome.value - slope * length)) : 0
                length = min(max(guess, 0.1 * length), 0.5 * length)
            }
            outcome.iterations += 1
            guard found else {
                // No lower value can be told apart in single precision.
                x.pointer.update(from: start.pointer, count: n)
                guard !steps.isEmpty else { break }
                steps.removeAll()
                stalls += 1
                if stalls > 1 { break }
                continue
            }
            let pair = spare.popLast() ?? (FloatBuffer(n), FloatBuffer(n))
            for i in 0..<n {
                pair.s.pointer[i] = x.pointer[i] - start.pointer[i]
                pair.y.pointer[i] = nextGradient.pointer[i] - gradient.pointer[i]
            }
            let curvature = VectorAlgebra.dot(pair.s.pointer, pair.y.pointer, n)
            if curvature > 1e-10 * VectorAlgebra.dot(pair.y.pointer, pair.y.pointer, n).squareRoot() * VectorAlgebra.dot(pair.s.pointer, pair.s.pointer, n).squareRoot() {
                if steps.count == memory {
                    let oldest = steps.removeFirst()
                    spare.append((oldest.s, oldest.y))
                }
                steps.append((pair.s, pair.y, 1 / curvature))
            } else {
                spare.append(pair)
            }
            swap(&gradient, &nextGradient)
            outcome.gradientNorm = norm(gradient)
        }
        return outcome
    }

    private static func norm(_ vector: FloatBuffer) -> Double {
        VectorAlgebra.dot(vector.pointer, vector.pointer, vector.count).squareRoot()
    }
}

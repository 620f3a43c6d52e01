import Parallel
import Platform

/// Cross-entropy between the views' prototype scores and assignments of the images to prototypes.
///
///     L = 1/P Σ_{(v, i)} meanₙ −Σₖ q_{i,nk} ln softmax(s_{v,n}/τ)ₖ     ∂L/∂s_{v,n} = 1/(PNτ) Σᵢ (softmax(s_{v,n}/τ) − q_{i,n})
///
/// The sum runs over the P pairs of a view v and an assignment qᵢ that v predicts. Rows of q sum to 1; no gradient
/// flows through them. With assignments from the views' own scores (``SwappedPrediction``) this is SwAV's loss (Caron
/// et al., NeurIPS 2020, eq. 2). With assignments from a teacher's scores it is VISSL's distillation of SwAV.
public struct AssignmentCrossEntropy: Sendable {
    /// τ.
    public let temperature: Double

    public init(temperature: Double) {
        precondition(temperature > 0)
        self.temperature = temperature
    }

    public struct Values: Sendable {
        public let loss: Double
        /// The gradient of the loss with respect to the scores.
        public let gradient: [Float]
        /// The lowest possible loss: the entropy of the assignments that the views predict.
        public let floor: Double
        /// The share of images for which the first predicting view has its largest score at the same prototype as the
        /// largest entry of its target.
        public let agreement: Double
    }

    private static let pieceImages = 4

    /// For each view, the start of its row for the first image and the stride from one image to the next.
    static func places(N: Int, views: [Int], prototypes K: Int) -> [(start: Int, stride: Int)] {
        var places: [(start: Int, stride: Int)] = [], start = 0
        for group in views {
            for view in 0..<group { places.append((start + view * K, group * K)) }
            start += N * group * K
        }
        return places
    }

    /// - Parameters:
    ///   - scores: rows of K scores, one group of views after another. In a group of V views, row V·n + v is view v of
    ///     image n.
    ///   - views: the number of views in each group.
    ///   - assignments: each (N, K).
    ///   - predicted: for each view, the indices of the assignments that it predicts. At least one view predicts an
    ///     assignment.
    ///   - findsFloor: whether to compute the floor; otherwise it is 0.
    public func evaluate(
        scores: [Float], N: Int, views: [Int], prototypes K: Int, assignments: [[Float]], predicted: [[Int]], findsFloor: Bool = false
    ) -> Values {
        let V = views.reduce(0, +), pairs = predicted.reduce(0) { $0 + $1.count }
        precondition(N > 0 && K > 0 && pairs > 0 && predicted.count == V && scores.count == N * V * K && assignments.allSatisfy { $0.count == N * K })
        let places = Self.places(N: N, views: views, prototypes: K), watched = predicted.firstIndex { !$0.isEmpty }
        let scale = Float(1 / temperature), share = 1 / (Double(pairs) * Double(N)), pieces = (N + Self.pieceImages - 1) / Self.pieceImages
        var losses = [Double](repeating: 0, count: N), agreements = losses, floors = losses, gradient = [Float](repeating: 0, count: scores.count)
        losses.withUnsafeMutableBufferPointer { losses in
            agreements.withUnsafeMutableBufferPointer { agreements in
                floors.withUnsafeMutableBufferPointer { floors in
                    gradient.withUnsafeMutableBufferPointer { gradient in
                        guard let losses = losses.baseAddress, let agreements = agreements.baseAddress, let floors = floors.baseAddress, let gradient = gradient.baseAddress else { return }
                        Parallel.forEach(pieces) { piece, _ in
                            var target = [Float](repeating: 0, count: K)
                            for n in Parallel.part(piece, of: pieces, in: N) {
                                var loss = 0.0, floor = 0.0
                                for view in 0..<V where !predicted[view].isEmpty {
                                    let row = places[view].start + n * places[view].stride, p = gradient + row
                                    for k in 0..<K { target[k] = predicted[view].reduce(0) { $0 + assignments[$1][n * K + k] } }
                                    var best = 0
                                    for k in 0..<K where scores[row + k] > scores[row + best] { best = k }
                                    let peak = scores[row + best]
                                    var cross = 0.0, mass = 0.0, sum = 0.0
                                    for k in 0..<K {
                                        let x = max(-100, (scores[row + k] - peak) * scale)
                                        cross += Double(target[k]) * Double(x)
                                        mass += Double(target[k])
                                        p[k] = x
                                    }
                                    VectorMath.exponential(UnsafeMutableBufferPointer(start: p, count: K))
                                    for k in 0..<K { sum += Double(p[k]) }
                                    loss += mass * log(sum) - cross
                                    let weight = Float(share / temperature), own = Float(mass / sum)
                                    for k in 0..<K { p[k] = weight * (own * p[k] - target[k]) }
                                    if findsFloor { for t in target where t > 0 { floor -= Double(t) * log(Double(t) / mass) } }
                                    if view == watched {
                                        var nearest = 0
                                        for k in 0..<K where target[k] > target[nearest] { nearest = k }
                                        agreements[n] = nearest == best ? 1 : 0
                                    }
                                }
                                losses[n] = loss * share
                                floors[n] = floor * share
                            }
                        }
                    }
                }
            }
        }
        return Values(loss: losses.reduce(0, +), gradient: gradient, floor: floors.reduce(0, +), agreement: agreements.reduce(0, +) / Double(N))
    }
}

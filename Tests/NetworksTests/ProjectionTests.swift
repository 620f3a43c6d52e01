import Kernels
import Networks
import Testing
import TestSupport

@Suite struct ProjectionTests {
    @Test func `a projection keeps the trunk, and its rows are orthogonal and of one length`() throws {
        let weights = formulaWeights("tiny-resnet10", dimension: 24), d = weights.network.featureWidth, D = 40
        let projected = try #require(weights.projected(to: D)), network = projected.network
        #expect(network.head == Head([.linear(D, bias: false)]) && network.embeddingWidth == D)
        let W = projected.portable(network.parameters.count - 1)
        for a in 0..<D {
            for b in 0...a {
                let product = (0..<d).reduce(0.0) { $0 + Double(W[a * d + $1]) * Double(W[b * d + $1]) }
                #expect(abs(product - (a == b ? Double(d) / Double(D) : 0)) < 1e-6)
            }
        }
        let bare = weights.withoutHead
        for index in bare.network.parameters.indices { #expect(projected.portable(index) == bare.portable(index)) }
        for index in bare.network.statistics.indices { #expect(projected.running(index).mean == bare.running(index).mean && projected.running(index).variance == bare.running(index).variance) }
        #expect(try #require(weights.projected(to: D)).portable(network.parameters.count - 1) == W)
        #expect(weights.projected(to: d + 1) == nil && weights.projected(to: 0) == nil && weights.projected(to: d) != nil)
    }
}

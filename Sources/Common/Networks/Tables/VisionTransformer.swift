/// A vision transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021) with the names of timm and
/// torch hub.
///
/// Covers DINO (Caron et al., ICCV 2021), MoCo-v3 (Chen et al., ICCV 2021), DINOv2 (Oquab et al., 2023) and, with
/// registers, Darcet et al. (ICLR 2024). The features are the class token after the last layer norm.
struct VisionTransformer: Trunk {
    enum Size: Int {
        case small = 384
        case base = 768
        case large = 1024
    }

    /// The numbers per token, the blocks and the heads.
    let width, depth, heads: Int
    let patch: Int
    let layerScale: Bool
    let registers: Int
    private let table: PositionTable

    /// - Parameters:
    ///   - side: the size of the training images; their patches have position embeddings.
    ///   - heads: nil for heads of 64 numbers.
    init(_ size: Size, patch: Int, side: Int = 224, heads: Int? = nil, layerScale: Bool = false, registers: Int = 0) {
        (width, depth, self.heads) = (size.rawValue, size == .large ? 24 : 12, heads ?? size.rawValue / 64)
        (self.patch, self.layerScale, self.registers) = (patch, layerScale, registers)
        table = PositionTable(side: side / patch)
    }

    private init(_ other: VisionTransformer, _ table: PositionTable) {
        (width, depth, heads, patch) = (other.width, other.depth, other.heads, other.patch)
        (layerScale, registers, self.table) = (other.layerScale, other.registers, table)
    }

    var headName: String { "head" }
    var dropout: Double { 0 }
    func headStart(_ O: Int) -> Parameter.Initialization? { .normal(0.02) }

    var positions: PositionTable? { table }
    func with(_ positions: PositionTable) -> any Trunk { VisionTransformer(self, positions) }

    func build(_ graph: inout GraphBuilder) -> Int {
        let epsilon: Float = 1e-6
        var x = graph.patchEmbedding(graph.input, K: width, patch: patch, table, registers: registers)
        for block in 0..<depth {
            x = graph.attention("blocks.\(block)", x, heads: heads, layerScale: layerScale, epsilon: epsilon, onlyClass: block == depth - 1)
            x = graph.feedForward("blocks.\(block)", x, F: 4 * width, layerScale: layerScale, epsilon: epsilon)
        }
        return graph.classToken("norm", x, epsilon: epsilon)
    }
}

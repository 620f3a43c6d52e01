import Kernels

/// The layers after the pooled features: a sequence as MoCo, SimCLR, BYOL and SwAV define it.
///
/// A single linear layer has torchvision's name of the classifier, `fc` in ResNets. Otherwise the layers are numbered
/// as in PyTorch's `Sequential`, `fc.0`, `fc.2`; layers without parameters also take a number.
///
/// The text form is `linear 512, batch-norm, relu, linear 128`. `linear 512 no-bias`, `batch-norm no-bias` and
/// `batch-norm no-affine` omit the named parameters. `gelu` is a layer too, and `l2-norm` scales rows to unit length.
/// Heads of papers have names: ``named(_:features:embedding:)``.
public struct Head: Sendable, Equatable {
    public enum Layer: Sendable, Equatable {
        case linear(Int, bias: Bool = true)
        case batchNorm(affine: Bool = true)
        /// With a scale only, like the end of SimCLR's head.
        case batchNormWithoutBias
        case relu
        case gelu
        case l2Norm

        var isBatchNorm: Bool {
            switch self {
            case .batchNorm, .batchNormWithoutBias: true
            default: false
            }
        }
    }

    public let layers: [Layer]

    /// Whether the last layer can be prototypes: a linear layer without a bias.
    public var endsInPrototypes: Bool { if case .linear(_, bias: false)? = layers.last { true } else { false } }

    public init(_ layers: [Layer]) { self.layers = layers }

    public static let none = Head([])
    /// Linear(d, D)
    public static func linear(_ D: Int) -> Head { Head([.linear(D)]) }
    /// Linear(d, h), relu, Linear(h, D). MoCo-v2 and SEED have h = d.
    public static func mlp(hidden: Int, _ D: Int) -> Head { Head([.linear(hidden), .relu, .linear(D)]) }

    /// The widths of the linear layers, in order.
    public var widths: [Int] { layers.compactMap { if case .linear(let O, _) = $0 { O } else { nil } } }
    /// Whether each linear layer has a bias, in order.
    private var biases: [Bool] { layers.compactMap { if case .linear(_, let bias) = $0 { bias } else { nil } } }
    /// The width of the embedding; nil if there is no linear layer.
    public var dimension: Int? { widths.last }

    /// Whether the head has a feasible size: no layer is wider than 65536 and no matrix larger than 2²⁸.
    ///
    /// - Parameter d: the width of the features; nil if not known yet.
    public func isOfUsualSize(features d: Int? = nil) -> Bool {
        let all = [d].compactMap { $0 } + widths
        return widths.allSatisfy { (1...65536).contains($0) } && zip(all, all.dropFirst()).allSatisfy { $0 * $1 <= 1 << 28 }
    }

    /// The name of layer `index`, prefixed with the head's name. In a head that is a network by itself, it is just the
    /// number.
    public func name(_ index: Int, _ head: String) -> String { head.isEmpty ? "\(index)" : layers.count == 1 ? head : "\(head).\(index)" }

    /// Whether the names and shapes of the tensors determine the whole head. They do not tell of parameterless layers
    /// at the end.
    public var isToldByTensors: Bool {
        // A single layer has the head's own name; the scale of a batch norm there would be taken for a matrix.
        if layers.count == 1, layers.first?.isBatchNorm == true { return false }
        // A gap in the numbering between layers with parameters is read as a rectifier.
        if layers.contains(.l2Norm) || layers.contains(.gelu) { return false }
        // If only some layers had no bias, it would be taken for a missing tensor.
        if !layers.contains(where: \.isBatchNorm), Set(biases).count > 1 { return false }
        return switch layers.last {
        case .linear, .batchNormWithoutBias, nil: true
        case .batchNorm(let affine): affine
        case .relu, .gelu, .l2Norm: false
        }
    }

    /// Appends the head to a graph. A rectifier directly after a batch norm becomes its activation.
    func build(_ graph: inout GraphBuilder, _ x: Int, name head: String, start: (Int) -> Parameter.Initialization?) {
        var x = x
        for (index, layer) in layers.enumerated() {
            let name = name(index, head)
            switch layer {
            case .linear(let O, let bias): x = graph.linear(name, x, O, hasBias: bias, start: layers.count == 1 ? start(O) : nil)
            case .batchNorm, .batchNormWithoutBias:
                let isRectified = index + 1 < layers.count && layers[index + 1] == .relu
                x = graph.batchNorm(name, x, isRectified ? .relu : .none, isAffine: layer != .batchNorm(affine: false), hasBias: layer != .batchNormWithoutBias)
            case .relu:
                if index > 0, layers[index - 1].isBatchNorm { break }
                x = graph.activation(x, .relu)
            case .gelu: x = graph.activation(x, .gelu)
            case .l2Norm: x = graph.l2Norm(x)
            }
        }
    }

    /// The head whose tensors have these names and shapes; nil if they do not form a head.
    public init?(of shapes: [String: [Int]], name head: String) {
        if let O = shapes[head + ".weight"]?.first {
            self.init([.linear(O, bias: shapes[head + ".bias"] != nil)])
            return
        }
        let numbers = Set(shapes.keys.compactMap { key -> Int? in
            guard key.hasPrefix(head + ".") else { return nil }
            let parts = key.dropFirst(head.count + 1).split(separator: ".", maxSplits: 1)
            return parts.count == 2 ? Int(parts[0]) : nil
        })
        guard let last = numbers.max(), last < 100 else {
            self.init([])
            return
        }
        var layers: [Layer] = []
        for number in 0...last {
            let name = "\(head).\(number)", weight = shapes[name + ".weight"]
            if shapes[name + ".running_mean"] != nil {
                layers.append(weight != nil && shapes[name + ".bias"] == nil ? .batchNormWithoutBias : .batchNorm(affine: weight != nil))
            } else if let weight {
                guard weight.count == 2 else { return nil }
                layers.append(.linear(weight[0], bias: shapes[name + ".bias"] != nil))
            } else {
                layers.append(.relu)
            }
        }
        // Biases are omitted before a batch norm, which cancels them, or in all layers. If only one layer lacks it, the
        // tensor is missing.
        let isMixed = !layers.contains(where: \.isBatchNorm) && Set(Head(layers).biases).count > 1
        self.init(isMixed ? layers.map { if case .linear(let O, _) = $0 { .linear(O) } else { $0 } } : layers)
    }

    public var text: String {
        layers.map { layer in
            switch layer {
            case .linear(let O, let bias): "linear \(O)" + (bias ? "" : " no-bias")
            case .batchNorm(let affine): "batch-norm" + (affine ? "" : " no-affine")
            case .batchNormWithoutBias: "batch-norm no-bias"
            case .relu: "relu"
            case .gelu: "gelu"
            case .l2Norm: "l2-norm"
            }
        }.joined(separator: ", ")
    }

    /// - Returns: nil if the text does not describe a head.
    public init?(text: String) {
        var layers: [Layer] = []
        for part in text.split(separator: ",") {
            let words = part.split(separator: " ").map(String.init)
            switch words.first {
            case "linear":
                guard words.count >= 2, let O = Int(words[1]), O > 0, words.count == 2 || words.dropFirst(2) == ["no-bias"] else { return nil }
                layers.append(.linear(O, bias: words.count == 2))
            case "batch-norm" where words.dropFirst() == ["no-bias"]: layers.append(.batchNormWithoutBias)
            case "batch-norm":
                guard words.count == 1 || words.dropFirst() == ["no-affine"] else { return nil }
                layers.append(.batchNorm(affine: words.count == 1))
            case "relu" where words.count == 1: layers.append(.relu)
            case "gelu" where words.count == 1: layers.append(.gelu)
            case "l2-norm" where words.count == 1: layers.append(.l2Norm)
            default: return nil
            }
        }
        guard !layers.isEmpty else { return nil }
        self.init(layers)
    }
}

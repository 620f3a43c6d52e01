/// The source of a network's definition, where two networks have the same name.
public enum Definition: String, Sendable, CaseIterable {
    case torchvision
    /// The definition of SEED's authors (Fang et al., ICLR 2021). Their released students differ from torchvision's
    /// networks in names, padding and batch norms.
    case seed
}

extension Network {
    private static let seedPrefix = "seed-"

    /// The network that this definition gives a plain name: `seed-efficientnet-b0` for `efficientnet-b0`.
    ///
    /// - Returns: nil if it has no definition of its own.
    public static func name(_ name: String, by definition: Definition) -> String? {
        switch definition {
        case .torchvision: name.hasPrefix(seedPrefix) ? nil : name
        case .seed:
            if name.hasPrefix(seedPrefix) { names.contains(name) ? name : nil } else { names.contains(seedPrefix + name) ? seedPrefix + name : nil }
        }
    }

    /// The plain names of the networks that SEED defines itself.
    public static var definedBySEED: [String] { names.filter { $0.hasPrefix(seedPrefix) }.map { String($0.dropFirst(seedPrefix.count)) } }
}

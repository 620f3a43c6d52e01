/// Whose definition of a network is meant, where two have the same name.
public enum Definition: String, Sendable, CaseIterable {
    case torchvision
    /// That of SEED's authors (Fang et al., ICLR 2021), whose released students have other names, padding and batch norms than torchvision's.
    case seed
}

extension Network {
    private static let seedPrefix = "seed-"

    /// The network that this definition has under a plain name: `seed-efficientnet-b0` for `efficientnet-b0`.
    ///
    /// - Returns: nil where it has none of its own.
    public static func name(_ name: String, by definition: Definition) -> String? {
        switch definition {
        case .torchvision: name.hasPrefix(seedPrefix) ? nil : name
        case .seed:
            if name.hasPrefix(seedPrefix) { names.contains(name) ? name : nil } else { names.contains(seedPrefix + name) ? seedPrefix + name : nil }
        }
    }

    /// The plain names of those that SEED defines itself.
    public static var definedBySEED: [String] { names.filter { $0.hasPrefix(seedPrefix) }.map { String($0.dropFirst(seedPrefix.count)) } }
}

import TensorStreams
import ToolSupport

/// The tensors of a PyTorch checkpoint by path: the keys of nested dictionaries, joined by dots.
struct TensorTree {
    private(set) var tensors: [(name: String, reference: TensorReference)] = []
    private var names: Set<String> = []
    private var visits = 0
    private let path: String

    /// Much deeper than any checkpoint.
    private static let mostDepth = 32
    /// Limits exponential growth: nested lists that each hold the next list many times have more paths than memory
    /// has bytes.
    private static let mostVisits = 4_000_000
    /// The maximum length in bytes. One key may be the prefix of a hundred thousand tensor names.
    private static let longestName = 1024

    /// - Throws: ``Failure`` where a name appears twice, a tensor is not a valid view of its storage, or there are
    ///   too many values.
    init(_ root: PickleValue, path: String) throws {
        self.path = path
        var open: Set<ObjectIdentifier> = []
        try visit(root, "", depth: 0, &open)
        guard !tensors.isEmpty else { throw Failure(.data, path: path, "holds \(root.kind) without tensors", remedy: "save a state_dict") }
    }

    /// - Parameter name: nil for a name that is too long.
    private mutating func visit(_ value: PickleValue, _ name: String?, depth: Int, _ open: inout Set<ObjectIdentifier>) throws {
        guard depth <= Self.mostDepth else { throw Failure(.data, path: path, "is nested deeper than \(Self.mostDepth) dictionaries") }
        visits += 1
        guard visits <= Self.mostVisits else {
            throw Failure(.data, path: path, "has more than \(Self.mostVisits) values in its dictionaries and lists, those that are shared counted each time, which is the limit")
        }
        func inside(_ key: String) -> String? {
            guard let name, name.utf8.count + key.utf8.count < Self.longestName else { return nil }
            return name.isEmpty ? key : name + "." + key
        }
        switch value {
        case .tensor(let reference):
            guard let name else { throw Failure(.data, path: path, "has a tensor whose name is longer than \(Self.longestName) bytes, which is the limit") }
            if let fault = reference.fault { throw Failure(.data, path: path, location: "'\(shown(name))'", fault) }
            guard names.insert(name).inserted else { throw Failure(.data, path: path, "has the name '\(shown(name))' twice") }
            guard tensors.count < Limits.checkpoint.tensorCount else { throw Failure(.data, path: path, "has more than \(Limits.checkpoint.tensorCount) tensors, which is the limit") }
            tensors.append((name, reference))
        case .dictionary(let dictionary):
            // A dictionary that contains itself is not visited again.
            guard open.insert(ObjectIdentifier(dictionary)).inserted else { return }
            for (key, value) in dictionary.entries {
                guard let key = key.string ?? key.int.map(String.init) else { continue }
                try visit(value, inside(key), depth: depth + 1, &open)
            }
            open.remove(ObjectIdentifier(dictionary))
        case .list(let list):
            guard open.insert(ObjectIdentifier(list)).inserted else { return }
            for (index, value) in list.values.enumerated() { try visit(value, inside("\(index)"), depth: depth + 1, &open) }
            open.remove(ObjectIdentifier(list))
        default: break
        }
    }

    private func shown(_ name: String) -> String { name.printableLine(limit: 80) }
}

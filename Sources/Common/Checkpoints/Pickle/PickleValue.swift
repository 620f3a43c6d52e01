/// A value of a Python pickle, as far as files of tensors have them.
///
/// Lists and dictionaries are shared by reference, as in Python: one may be filled after another has taken it, and may even hold itself.
enum PickleValue {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    /// Text that is no UTF-8 keeps its bytes as U+FFFD.
    case string(String)
    case bytes([UInt8])
    case tuple([PickleValue])
    case list(PickleList)
    case dictionary(PickleDictionary)
    /// A name that the pickle would have Python import: "torch.FloatStorage".
    case global(PickleName)
    /// What stands for an object that nobody looks into: a class of the allow-list, or the time of a training. Nothing of it was made.
    case opaque(PickleName)
    case storage(StorageReference)
    case tensor(TensorReference)

    /// As messages call it.
    var kind: String {
        switch self {
        case .none: "None"
        case .bool: "a truth value"
        case .int, .float: "a number"
        case .string: "text"
        case .bytes: "bytes"
        case .tuple: "a tuple"
        case .list: "a list"
        case .dictionary: "a dictionary"
        case .global(let name), .opaque(let name): name.text
        case .storage: "a storage"
        case .tensor: "a tensor"
        }
    }

    var string: String? { if case .string(let text) = self { text } else { nil } }
    var int: Int? {
        switch self {
        case .int(let number): number
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }
    var elements: [PickleValue]? {
        switch self {
        case .tuple(let values): values
        case .list(let list): list.values
        default: nil
        }
    }
    var name: PickleName? { if case .global(let name) = self { name } else { nil } }
}

final class PickleList {
    var values: [PickleValue] = []
    init(_ values: [PickleValue] = []) { self.values = values }
}

final class PickleDictionary {
    /// In the order in which they were set; a key may be there twice, the later one counts.
    var entries: [(key: PickleValue, value: PickleValue)] = []
}

/// A module and a name in it.
struct PickleName: Hashable {
    let module, name: String
    var text: String { "\(module).\(name)" }
}

/// A value of a Python pickle, as far as files of tensors have them.
///
/// Lists and dictionaries are shared by reference, as in Python: one may be filled after another has taken it, and may even hold itself. They live as long as
/// the ``PickleMemory`` that they were made in. What is larger than text lies apart: a pickle may have millions of values, most of them small.
enum PickleValue {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    /// Text that is no UTF-8 keeps its bytes as U+FFFD.
    case string(String)
    case bytes([UInt8])
    /// A list or a tuple.
    case list(PickleList)
    case dictionary(PickleDictionary)
    /// A name that the pickle would have Python import: "torch.FloatStorage".
    indirect case global(PickleName)
    /// What stands for an object that nobody looks into: a class of the allow-list, or the time of a training. Nothing of it was made.
    indirect case opaque(PickleName)
    indirect case storage(StorageReference)
    indirect case tensor(TensorReference)

    /// As messages call it.
    var kind: String {
        switch self {
        case .none: "None"
        case .bool: "a truth value"
        case .int, .float: "a number"
        case .string: "text"
        case .bytes: "bytes"
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
    var elements: [PickleValue]? { if case .list(let list) = self { list.values } else { nil } }
    var name: PickleName? { if case .global(let name) = self { name } else { nil } }
}

class PickleContainer {
    func removeAll() {}
}

final class PickleList: PickleContainer {
    var values: [PickleValue] = []
    override func removeAll() { values = [] }
}

final class PickleDictionary: PickleContainer {
    /// In the order in which they were set.
    var entries: [(key: PickleValue, value: PickleValue)] = []
    override func removeAll() { entries = [] }
}

/// Owner of all lists and dictionaries of a pickle.
///
/// Each is emptied while this still holds all others: to let go of one that holds another, two hundred thousand deep, would take a stack as deep, and
/// those that hold themselves would stay for ever.
final class PickleMemory {
    private var containers: [PickleContainer] = []

    func list(_ values: [PickleValue] = []) -> PickleList {
        let list = PickleList()
        list.values = values
        containers.append(list)
        return list
    }

    func dictionary() -> PickleDictionary {
        let dictionary = PickleDictionary()
        containers.append(dictionary)
        return dictionary
    }

    deinit { for container in containers { container.removeAll() } }
}

/// A module and a name in it.
struct PickleName: Hashable {
    let module, name: String
    var text: String { "\(module).\(name)" }
}

/// A value of a Python pickle, limited to the kinds that occur in tensor files.
///
/// Lists and dictionaries are shared by reference, as in Python: one may be filled after another has taken it, and
/// may even contain itself. They live as long as the ``PickleMemory`` in which they were made. Payloads larger than
/// text are indirect: a pickle may have millions of values, most of them small.
enum PickleValue {
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    /// Invalid UTF-8 is replaced by U+FFFD.
    case string(String)
    case bytes([UInt8])
    /// A list or a tuple.
    case list(PickleList)
    case dictionary(PickleDictionary)
    /// A name that Python would import: "torch.FloatStorage".
    indirect case global(PickleName)
    /// A placeholder for an object that is never inspected: of a class on the allow-list, or the time of a training.
    ///
    /// The object itself is not created.
    indirect case opaque(PickleName)
    indirect case storage(StorageReference)
    indirect case tensor(TensorReference)

    /// The name of the kind in messages.
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
    /// The entries in insertion order.
    var entries: [(key: PickleValue, value: PickleValue)] = []
    override func removeAll() { entries = [] }
}

/// The owner of all lists and dictionaries of a pickle.
///
/// On release, it empties each container while it still holds all others. Otherwise releasing containers nested two
/// hundred thousand deep would need a stack as deep, and containers that hold themselves would leak.
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

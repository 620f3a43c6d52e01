/// Writes a pickle, opcode by opcode (Python's `Lib/pickletools.py`).
///
/// Nothing is memoised: repeated values are written repeatedly.
struct PickleWriter {
    /// A value other than a tensor in a dictionary.
    enum Scalar: Sendable {
        case string(String)
        case bool(Bool)
    }

    private(set) var bytes: [UInt8]

    /// - Parameter version: the protocol version: 2, or 4 for bytes.
    init(version: UInt8) { bytes = [0x80, version] }

    private mutating func number(_ count: Int, _ value: Int) { for byte in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) } }

    /// Pushes a class or function.
    mutating func global(_ module: String, _ name: String) { bytes += Array("c\(module)\n\(name)\n".utf8) }

    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "X"))
        number(4, text.utf8.count)
        bytes += Array(text.utf8)
    }

    mutating func int(_ value: Int) {
        switch value {
        case 0..<256:
            bytes.append(UInt8(ascii: "K"))
            number(1, value)
        case Int(Int32.min)...Int(Int32.max):
            bytes.append(UInt8(ascii: "J"))
            number(4, value)
        default:
            // LONG1 with eight bytes.
            bytes += [0x8A, 8]
            number(8, value)
        }
    }

    mutating func bool(_ value: Bool) { bytes.append(value ? 0x88 : 0x89) }
    mutating func none() { bytes.append(UInt8(ascii: "N")) }

    mutating func scalar(_ value: Scalar) {
        switch value {
        case .string(let text): string(text)
        case .bool(let value): bool(value)
        }
    }

    mutating func tuple(_ elements: (inout PickleWriter) -> Void) {
        bytes.append(UInt8(ascii: "("))
        elements(&self)
        bytes.append(UInt8(ascii: "t"))
    }

    mutating func ints(_ values: [Int]) { tuple { pickle in for value in values { pickle.int(value) } } }

    /// Calls the global below the argument tuple.
    mutating func call() { bytes.append(UInt8(ascii: "R")) }
    /// Sets the state of the object below it.
    mutating func build() { bytes.append(UInt8(ascii: "b")) }
    /// Loads the external object that the tuple on the stack refers to.
    mutating func persistent() { bytes.append(UInt8(ascii: "Q")) }

    /// Pushes an empty dictionary. The values between ``beginItems()`` and ``endItems()`` are added to it.
    mutating func dictionary() { bytes.append(UInt8(ascii: "}")) }
    mutating func orderedDictionary() {
        global("collections", "OrderedDict")
        bytes.append(UInt8(ascii: ")"))
        call()
    }

    /// Starts the keys and values of the dictionary on the stack.
    mutating func beginItems() { bytes.append(UInt8(ascii: "(")) }
    mutating func endItems() { bytes.append(UInt8(ascii: "u")) }

    /// Starts a dictionary with the entries `beside` and `key`, whose value comes next; ``endItems()`` ends it.
    mutating func beginDictionary(inside key: String, beside: [(key: String, value: Scalar)]) {
        dictionary()
        beginItems()
        for (key, value) in beside {
            string(key)
            scalar(value)
        }
        string(key)
    }

    /// The opcode for a byte string; its `count` bytes follow.
    mutating func byteString(count: Int) {
        if count >= 1 << 32 {
            bytes.append(0x8E)
            number(8, count)
        } else {
            bytes.append(UInt8(ascii: "B"))
            number(4, count)
        }
    }

    mutating func append(_ other: [UInt8]) { bytes += other }
    mutating func stop() { bytes.append(UInt8(ascii: ".")) }

    /// The bytes written since the last call.
    mutating func take() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }
}

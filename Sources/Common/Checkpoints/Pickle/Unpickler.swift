import ToolSupport

/// Resolves the names in a pickle. Nothing is ever imported or executed.
protocol PickleNames {
    /// The result of calling `name` with `arguments`; nil where the call is not on the allow-list.
    func call(_ name: PickleName, _ arguments: [PickleValue], _ memory: PickleMemory) throws -> PickleValue?
    /// The value of a persistent identifier; nil where it is unknown.
    func persistent(_ identifier: PickleValue) throws -> PickleValue?
    /// Whether objects of the class are accepted without being inspected.
    func isInert(_ name: PickleName) -> Bool
}

/// Python's pickle machine, limited to what tensor files need: protocols 0 to 5 without classes of protocols 0 and 1,
/// extension codes and out-of-band buffers (PEP 307, PEP 3154, PEP 574; CPython's `pickletools.py`).
///
/// It only builds values. A call of a name that is not on the allow-list ends the reading. Its memory is bounded by
/// the length of the pickle, since every byte makes at most one value, and by ``mostValues``.
struct Unpickler<Names: PickleNames> {
    let names: Names
    private let bytes: PickleBytes
    private let memory: PickleMemory
    private var stack: [PickleValue] = []
    /// The stack positions of the marks.
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]
    private var values = 0

    /// The maximum number of values, far above that of any checkpoint with optimizer state.
    private static var mostValues: Int { 4_000_000 }

    init(_ bytes: PickleBytes, _ memory: PickleMemory, names: Names) { (self.bytes, self.memory, self.names) = (bytes, memory, names) }

    /// Reads one complete pickle.
    static func value(_ bytes: PickleBytes, _ memory: PickleMemory, names: Names) throws -> PickleValue {
        var unpickler = Unpickler(bytes, memory, names: names)
        return try unpickler.run()
    }

    private mutating func run() throws -> PickleValue {
        while true {
            let code = try bytes.byte()
            if code == UInt8(ascii: ".") {
                guard stack.count == 1, marks.isEmpty, let value = stack.last else { throw bytes.failure("the pickle ends with \(stack.count) values where one is expected") }
                return value
            }
            try step(code)
        }
    }

    private mutating func push(_ value: PickleValue) throws {
        values += 1
        guard values <= Self.mostValues else { throw bytes.failure("the pickle has more than \(Self.mostValues) values, which is the limit") }
        stack.append(value)
    }

    private mutating func pop() throws -> PickleValue {
        guard stack.count > (marks.last ?? 0), let value = stack.popLast() else { throw bytes.failure("the pickle takes a value that is not there") }
        return value
    }

    private func top() throws -> PickleValue {
        guard stack.count > (marks.last ?? 0), let value = stack.last else { throw bytes.failure("the pickle takes a value that is not there") }
        return value
    }

    /// The values above the last mark.
    private mutating func popMark() throws -> [PickleValue] {
        guard let mark = marks.popLast(), mark <= stack.count else { throw bytes.failure("the pickle goes back to a mark that is not there") }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private mutating func step(_ code: UInt8) throws {
        switch code {
        // Frames and versions contain nothing that is needed.
        case 0x80: _ = try bytes.byte()
        case 0x95: _ = try bytes.bytes(8)
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "0"): if stack.count == marks.last { marks.removeLast() } else { _ = try pop() }
        case UInt8(ascii: "1"): _ = try popMark()
        case UInt8(ascii: "2"): try push(top())

        case UInt8(ascii: "N"): try push(.none)
        case 0x88: try push(.bool(true))
        case 0x89: try push(.bool(false))
        case UInt8(ascii: "K"): try push(.int(Int(bytes.byte())))
        case UInt8(ascii: "M"): try push(.int(Int(bytes.unsigned(2))))
        case UInt8(ascii: "J"): try push(.int(Int(Int32(truncatingIfNeeded: bytes.unsigned(4)))))
        case 0x8A: try push(long(Int(bytes.byte())))
        case 0x8B: try push(long(Int(Int32(truncatingIfNeeded: bytes.unsigned(4)))))
        case UInt8(ascii: "I"), UInt8(ascii: "L"): try push(number(bytes.line()))
        case UInt8(ascii: "F"): try push(real(bytes.line()))
        case UInt8(ascii: "G"): try push(.float(Double(bitPattern: bytes.unsigned(8).byteSwapped)))

        case UInt8(ascii: "X"): try push(text(Int(bytes.unsigned(4))))
        case 0x8C: try push(text(Int(bytes.byte())))
        case 0x8D: try push(text(Int(clamping: bytes.unsigned(8))))
        // Python 2 strings: decoded as text if possible, like in torch.
        case UInt8(ascii: "T"): try push(text(Int(bytes.unsigned(4))))
        case UInt8(ascii: "U"): try push(text(Int(bytes.byte())))
        case UInt8(ascii: "V"), UInt8(ascii: "S"): try push(.string(quoted(bytes.line())))
        case UInt8(ascii: "B"): try push(.bytes(bytes.bytes(Int(bytes.unsigned(4)))))
        case UInt8(ascii: "C"): try push(.bytes(bytes.bytes(Int(bytes.byte()))))
        case 0x8E, 0x96: try push(.bytes(bytes.bytes(Int(clamping: bytes.unsigned(8)))))

        case UInt8(ascii: ")"): try push(.list(memory.list()))
        case 0x85: try pushTuple(1)
        case 0x86: try pushTuple(2)
        case 0x87: try pushTuple(3)
        case UInt8(ascii: "]"), 0x8F: try push(.list(memory.list()))
        case UInt8(ascii: "t"), UInt8(ascii: "l"), 0x91: try push(.list(memory.list(popMark())))
        case UInt8(ascii: "}"): try push(.dictionary(memory.dictionary()))
        case UInt8(ascii: "d"):
            let pairs = try popMark(), dictionary = memory.dictionary()
            try set(pairs, in: .dictionary(dictionary))
            try push(.dictionary(dictionary))
        case UInt8(ascii: "a"):
            let value = try pop()
            try append([value])
        case UInt8(ascii: "e"), 0x90:
            let values = try popMark()
            try append(values)
        case UInt8(ascii: "s"):
            let value = try pop(), key = try pop()
            try set([key, value], in: top())
        case UInt8(ascii: "u"):
            let pairs = try popMark()
            try set(pairs, in: top())

        case UInt8(ascii: "p"): try memorize(number(bytes.line()).int)
        case UInt8(ascii: "q"): try memorize(Int(bytes.byte()))
        case UInt8(ascii: "r"): try memorize(Int(bytes.unsigned(4)))
        case 0x94: try memorize(memo.count)
        case UInt8(ascii: "g"): try push(recall(number(bytes.line()).int))
        case UInt8(ascii: "h"): try push(recall(Int(bytes.byte())))
        case UInt8(ascii: "j"): try push(recall(Int(bytes.unsigned(4))))

        case UInt8(ascii: "c"):
            let module = try bytes.line(), name = try bytes.line()
            try push(.global(PickleName(module: String(decoding: module, as: UTF8.self), name: String(decoding: name, as: UTF8.self))))
        case 0x93:
            guard let name = try pop().string, let module = try pop().string else { throw bytes.failure("the pickle names something without a name") }
            try push(.global(PickleName(module: module, name: name)))
        case UInt8(ascii: "Q"):
            let identifier = try pop()
            guard let value = try names.persistent(identifier) else { throw bytes.failure("the pickle refers to \(identifier.kind) outside itself") }
            try push(value)
        case UInt8(ascii: "R"):
            let arguments = try pop(), function = try pop()
            try push(call(function, arguments))
        case 0x81:
            let arguments = try pop(), type = try pop()
            try push(call(type, arguments))
        case 0x92:
            _ = try pop()
            let arguments = try pop(), type = try pop()
            try push(call(type, arguments))
        case UInt8(ascii: "b"): try build()
        default:
            let shown = code >= 0x21 && code < 0x7F ? "'\(Character(Unicode.Scalar(code)))'" : "0x" + String(code, radix: 16)
            throw bytes.failure("the pickle has the instruction \(shown), which no file of tensors needs")
        }
    }

    private mutating func pushTuple(_ count: Int) throws {
        var values: [PickleValue] = []
        for _ in 0..<count { values.append(try pop()) }
        try push(.list(memory.list(values.reversed())))
    }

    private func append(_ values: [PickleValue]) throws {
        switch try top() {
        case .list(let list): list.values += values
        case .opaque: break
        case let other: throw bytes.failure("the pickle appends to \(other.kind)")
        }
    }

    private func set(_ pairs: [PickleValue], in target: PickleValue) throws {
        guard pairs.count % 2 == 0 else { throw bytes.failure("the pickle sets a key without a value") }
        switch target {
        case .dictionary(let dictionary):
            for index in stride(from: 0, to: pairs.count, by: 2) { dictionary.entries.append((pairs[index], pairs[index + 1])) }
        case .opaque: break
        default: throw bytes.failure("the pickle sets a key of \(target.kind)")
        }
    }

    private mutating func memorize(_ index: Int?) throws {
        guard let index, index >= 0 else { throw bytes.failure("the pickle remembers a value under no number") }
        memo[index] = try top()
    }

    private func recall(_ index: Int?) throws -> PickleValue {
        guard let value = index.flatMap({ memo[$0] }) else { throw bytes.failure("the pickle recalls a value that it has not remembered") }
        return value
    }

    private func call(_ function: PickleValue, _ arguments: PickleValue) throws -> PickleValue {
        guard let name = function.name else {
            if case .opaque(let name) = function { return .opaque(name) }
            throw bytes.failure("the pickle calls \(function.kind)")
        }
        guard let arguments = arguments.elements else { throw bytes.failure("the pickle calls \(shown(name)) with \(arguments.kind)") }
        if let value = try names.call(name, arguments, memory) { return value }
        guard names.isInert(name) else {
            throw bytes.failure(
                "the pickle calls \(shown(name)), which no file of tensors needs; nothing was called",
                remedy: "if you trust the file, load it with PyTorch and save its state_dict alone")
        }
        return .opaque(name)
    }

    private func shown(_ name: PickleName) -> String { name.text.printableLine(limit: 100) }

    /// Discards the state of an object: attributes of an ordered dictionary, or of an object that is never inspected.
    private mutating func build() throws {
        _ = try pop()
        switch try top() {
        case .dictionary, .opaque, .tensor, .list: break
        case let other: throw bytes.failure("the pickle sets attributes of \(other.kind)")
        }
    }

    // MARK: Numbers and text

    /// A little-endian two's complement integer of `count` bytes; a float where it exceeds the machine's integers.
    private func long(_ count: Int) throws -> PickleValue {
        let digits = try bytes.bytes(count)
        guard let last = digits.last else { return .int(0) }
        if digits.count <= 8 {
            let start: Int = last & 0x80 == 0 ? 0 : -1
            return .int(digits.reversed().reduce(start) { $0 << 8 | Int($1) })
        }
        guard digits.count <= 1024 else { throw bytes.failure("the pickle has a number of \(digits.count) bytes") }
        let magnitude = digits.dropLast().reversed().reduce(Double(Int8(bitPattern: last))) { $0 * 256 + Double($1) }
        return .float(magnitude)
    }

    private func number(_ line: [UInt8]) throws -> PickleValue {
        var text = String(decoding: line, as: UTF8.self)
        if text == "00" { return .bool(false) }
        if text == "01" { return .bool(true) }
        if text.hasSuffix("L") { text.removeLast() }
        if let number = Int(text) { return .int(number) }
        guard text.utf8.count <= 1024, let number = Double(text) else { throw bytes.failure("the pickle has '\(text.printableLine(limit: 40))' where a number is expected") }
        return .float(number)
    }

    private func real(_ line: [UInt8]) throws -> PickleValue {
        guard let number = Double(String(decoding: line, as: UTF8.self)) else { throw bytes.failure("the pickle has '\(String(decoding: line, as: UTF8.self).printableLine(limit: 40))' where a number is expected") }
        return .float(number)
    }

    private func text(_ count: Int) throws -> PickleValue { .string(String(decoding: try bytes.bytes(count), as: UTF8.self)) }

    /// A line of protocol 0: text, or a quoted Python 2 literal. Escapes are kept, since tensor names have none.
    private func quoted(_ line: [UInt8]) -> String {
        let text = line.count >= 2 && line.first == line.last && (line.first == 0x27 || line.first == 0x22) ? Array(line[1..<line.count - 1]) : line
        return String(decoding: text, as: UTF8.self)
    }
}

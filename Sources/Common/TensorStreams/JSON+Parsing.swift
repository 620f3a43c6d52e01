import ToolSupport

extension JSON {
    /// Parses `text` strictly by RFC 8259.
    ///
    /// - Parameters:
    ///   - depth: the maximum nesting depth.
    ///   - values: the maximum number of values: each takes far more memory than its text.
    /// - Throws: a ``Failure`` of kind `data` with the byte offset, also for a repeated key, and for anything but white
    ///   space after the value.
    public init(parsing text: String, depth: Int = 64, values: Int = 1_000_000) throws {
        try self.init(parsing: Array(text.utf8), depth: depth, values: values)
    }

    public init(parsing bytes: [UInt8], depth: Int = 64, values: Int = 1_000_000) throws {
        var parser = JSONParser(bytes: bytes, values: values)
        parser.skipSpace()
        self = try parser.value(depth: depth)
        try parser.finish()
    }
}

/// Parses JSON from its first byte to its last, as a whole value or part by part.
struct JSONParser {
    let bytes: [UInt8]
    /// How many more values are allowed.
    private var values: Int
    private(set) var position = 0

    init(bytes: [UInt8], values: Int = .max) {
        self.bytes = bytes
        self.values = values
    }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ what: String) -> Failure { Failure(.data, offset: position, what) }

    private func unexpected(_ wanted: String) -> Failure {
        guard let next else { return failure("ends where \(wanted) is expected") }
        let found = 0x21...0x7E ~= next ? "'\(UnicodeScalar(next))'" : "byte \(next)"
        return failure("\(found) where \(wanted) is expected")
    }

    mutating func skipSpace() {
        while let next, next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: Character) -> Bool {
        guard let next, next == byte.asciiValue else { return false }
        position += 1
        return true
    }

    /// Whether the next byte is this one.
    func isAt(_ byte: Character) -> Bool { next != nil && next == byte.asciiValue }

    /// Throws if no value can start at the next byte; consumes nothing.
    func peekValue() throws {
        guard let next, "{[\"tfn-0123456789".utf8.contains(next) else { throw unexpected("a value") }
    }

    func repeated(_ key: String, at start: Int) -> Failure {
        Failure(.data, offset: start, "the key '\(key.printableLine(limit: 80))' occurs twice")
    }

    /// Consumes white space, after which nothing may follow.
    mutating func finish() throws {
        skipSpace()
        guard position == bytes.count else { throw failure("there is more after the value") }
    }

    /// Parses an object. `body` parses the value of each member; it receives the key and the byte offset of the key.
    mutating func members(_ body: (inout JSONParser, String, Int) throws -> Void) throws {
        guard take("{") else { throw unexpected("'{'") }
        skipSpace()
        if take("}") { return }
        repeat {
            skipSpace()
            guard isAt("\"") else { throw unexpected("a key in quotes") }
            let start = position
            let key = try string()
            skipSpace()
            guard take(":") else { throw unexpected("':'") }
            skipSpace()
            try body(&self, key, start)
            skipSpace()
        } while take(",")
        guard take("}") else { throw unexpected("',' or '}'") }
    }

    /// Parses an array. `body` parses each of its values.
    mutating func elements(_ body: (inout JSONParser) throws -> Void) throws {
        guard take("[") else { throw unexpected("'['") }
        skipSpace()
        if take("]") { return }
        repeat {
            skipSpace()
            try body(&self)
            skipSpace()
        } while take(",")
        guard take("]") else { throw unexpected("',' or ']'") }
    }

    /// Parses a number; nil where it is not an integer that fits, or the value is of another kind.
    mutating func wholeNumber() throws -> Int? {
        try peekValue()
        guard let next, next == UInt8(ascii: "-") || UInt8(ascii: "0")...UInt8(ascii: "9") ~= next else { return nil }
        return try number().asInteger
    }

    mutating func value(depth: Int) throws -> JSON {
        values -= 1
        guard values >= 0 else { throw failure("there are too many values") }
        guard let next else { throw unexpected("a value") }
        switch next {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw unexpected("a value")
        }
    }

    private mutating func word(_ word: String, _ value: JSON) throws -> JSON {
        guard bytes[position...].starts(with: word.utf8) else { throw unexpected("a value") }
        position += word.utf8.count
        return value
    }

    private mutating func object(depth: Int) throws -> JSON {
        guard depth > 0 else { throw failure("values are nested too deeply") }
        var object = JSON.Object()
        try members { parser, key, start in
            guard object[key] == nil else { throw parser.repeated(key, at: start) }
            object[key] = try parser.value(depth: depth - 1)
        }
        return .object(object)
    }

    private mutating func array(depth: Int) throws -> JSON {
        guard depth > 0 else { throw failure("values are nested too deeply") }
        var values: [JSON] = []
        try elements { values.append(try $0.value(depth: depth - 1)) }
        return .array(values)
    }

    mutating func string() throws -> String {
        position += 1
        var text: [UInt8] = []
        while true {
            let start = position
            while let next, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\"), next >= 0x20 { position += 1 }
            text += bytes[start..<position]
            guard let next else { throw unexpected("the end of a string") }
            if next < 0x20 { throw failure("a control character in a string") }
            position += 1
            if next == UInt8(ascii: "\"") { break }
            try escape(to: &text)
        }
        guard let string = String(validating: text, as: UTF8.self) else { throw failure("a string that is not UTF-8 ends here") }
        return string
    }

    private mutating func escape(to text: inout [UInt8]) throws {
        guard let kind = next else { throw unexpected("an escaped character") }
        position += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if 0xD800..<0xDC00 ~= code {
                guard take("\\"), take("u") else { throw failure("half of a surrogate pair") }
                let low = try hexadecimal()
                guard 0xDC00..<0xE000 ~= low else { throw failure("half of a surrogate pair") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = UnicodeScalar(code) else { throw failure("half of a surrogate pair") }
            text += String(Character(scalar)).utf8
        default:
            position -= 1
            throw unexpected("an escaped character")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let next, let digit = Character(UnicodeScalar(next)).hexDigitValue, next < 0x80 else {
                throw unexpected("a hexadecimal digit")
            }
            code = code << 4 + UInt32(digit)
            position += 1
        }
        return code
    }

    private mutating func digits() throws {
        let start = position
        while let next, UInt8(ascii: "0")...UInt8(ascii: "9") ~= next { position += 1 }
        guard position > start else { throw unexpected("a digit") }
    }

    private mutating func number() throws -> JSON {
        let start = position
        var whole = true
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") {
            whole = false
            try digits()
        }
        if take("e") || take("E") {
            whole = false
            if !take("+") { _ = take("-") }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if whole, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            position = start
            throw failure("a number too large")
        }
        return .number(value)
    }
}

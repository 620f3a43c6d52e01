/// A JSON value (RFC 8259). Members of an object keep their order.
public enum JSON: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number without fraction or exponent that fits into 64 bits.
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object(Object)

    /// The members of an object, in order, with unique keys.
    public struct Object: Sendable, Equatable, Sequence {
        public private(set) var members: [Member] = []
        private var indices: [String: Int] = [:]

        public struct Member: Sendable, Equatable {
            public var key: String
            public var value: JSON
        }

        public init() {}

        /// The value of `key`; setting a new key appends it, setting nil removes it.
        public subscript(key: String) -> JSON? {
            get { indices[key].map { members[$0].value } }
            set {
                if let index = indices[key] {
                    if let newValue {
                        members[index].value = newValue
                    } else {
                        members.remove(at: index)
                        indices = [:]
                        for (index, member) in members.enumerated() { indices[member.key] = index }
                    }
                } else if let newValue {
                    indices[key] = members.count
                    members.append(Member(key: key, value: newValue))
                }
            }
        }

        public var count: Int { members.count }
        public func makeIterator() -> IndexingIterator<[Member]> { members.makeIterator() }
        public static func == (a: Object, b: Object) -> Bool { a.members == b.members }
    }

    /// The value of an object's key; nil where the key is missing or this is not an object.
    public subscript(key: String) -> JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    public var asString: String? { if case .string(let value) = self { value } else { nil } }
    public var asBool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var asInteger: Int? { if case .integer(let value) = self { Int(value) } else { nil } }
    public var asArray: [JSON]? { if case .array(let value) = self { value } else { nil } }
    public var asObject: Object? { if case .object(let value) = self { value } else { nil } }
    /// The value of a number of either kind.
    public var asNumber: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}

extension JSON.Object {
    /// Appends the members of `other`; for a key in both, the value of `other` replaces the own one in place.
    public func merging(_ other: JSON.Object) -> JSON.Object {
        var result = self
        for member in other { result[member.key] = member.value }
        return result
    }
}

extension JSON.Object: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSON)...) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(nilLiteral: ()) { self = .null }
    public init(dictionaryLiteral elements: (String, JSON)...) {
        var object = Object()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

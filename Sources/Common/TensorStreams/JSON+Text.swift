import ToolSupport

extension JSON {
    /// The value on one line without unnecessary spaces. Equal values give equal text.
    ///
    /// Infinities and NaN, which JSON cannot represent, become `null`. Characters that would control a terminal are
    /// escaped as `\u009b`.
    public var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes, escaping: .unprintable)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Which characters of strings are escaped.
    enum Escaping {
        /// Those that JSON requires to be escaped.
        case needed
        /// All that a terminal would not show, or would interpret.
        case unprintable
    }

    func append(to bytes: inout [UInt8], escaping: Escaping = .needed) {
        switch self {
        case .null: bytes += "null".utf8
        case .bool(let value): bytes += (value ? "true" : "false").utf8
        case .integer(let value): bytes += "\(value)".utf8
        case .number(let value): bytes += (value.isFinite ? "\(value)" : "null").utf8
        case .string(let value): JSON.append(value, to: &bytes, escaping)
        case .array(let values):
            bytes.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                value.append(to: &bytes, escaping: escaping)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let object):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSON.append(member.key, to: &bytes, escaping)
                bytes.append(UInt8(ascii: ":"))
                member.value.append(to: &bytes, escaping: escaping)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static func append(_ string: String, to bytes: inout [UInt8], _ escaping: Escaping) {
        if escaping == .unprintable, !string.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return appendPrintable(string, to: &bytes) }
        bytes.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes += "\\\"".utf8
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case 0x0A: bytes += "\\n".utf8
            case 0x0D: bytes += "\\r".utf8
            case 0x09: bytes += "\\t".utf8
            case 0x08: bytes += "\\b".utf8
            case 0x0C: bytes += "\\f".utf8
            case 0..<0x20: bytes += ((byte < 0x10 ? "\\u000" : "\\u00") + String(byte, radix: 16)).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func appendPrintable(_ string: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\n": bytes += "\\n".utf8
            case "\r": bytes += "\\r".utf8
            case "\t": bytes += "\\t".utf8
            case "\"", "\\": bytes += [UInt8(ascii: "\\"), UInt8(scalar.value)]
            case _ where scalar.isPrintable: bytes += String(scalar).utf8
            default:
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    bytes += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
                }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

import Platform

/// The reason why a tool stops, worded for its user.
///
/// It prints as `file: location: what is wrong; what to do`. Parts that do not apply are left out.
///
///     train.tensors.zst: byte 8392: record 17 has 3071 bytes where its header says 3072; make the file again
public struct Failure: Error, CustomStringConvertible, Sendable, Equatable {
    /// The class of a failure, and the exit status of the tool that throws it.
    ///
    /// The values are those of `<sysexits.h>`. A wrong command line is 64, which ArgumentParser already uses.
    public enum Kind: Int32, Sendable {
        /// Options that conflict with each other or with the input.
        case usage = 64
        /// The input is malformed, truncated or of another shape than expected.
        case data = 65
        /// An input cannot be opened.
        case noInput = 66
        /// A library violated its documentation.
        case software = 70
        /// An output cannot be created.
        case cannotCreate = 73
        /// A read or write failed.
        case io = 74
        /// The tool was asked to stop before it was done; its work so far is saved.
        case stopped = 75
        /// The reader of the output has gone. The tool ends silently, as with SIGPIPE.
        case closedPipe = 141
    }

    public var kind: Kind
    public var path: String?
    /// "byte 8392", "record 17", "member cats/7.jpg".
    public var location: String?
    public var what: String
    public var remedy: String?
    /// The maximum number of characters of its line; larger where a complete list is needed.
    public var length = usualLength
    /// A few hundred characters are readable; a hostile file could cause arbitrarily long messages.
    static let usualLength = 500

    public init(_ kind: Kind, path: String? = nil, location: String? = nil, _ what: String, remedy: String? = nil) {
        self.kind = kind
        self.path = path
        self.location = location
        self.what = what
        self.remedy = remedy
    }

    /// A failure at a byte offset.
    public init(_ kind: Kind, path: String? = nil, offset: Int, _ what: String, remedy: String? = nil) {
        self.init(kind, path: path, location: "byte \(offset)", what, remedy: remedy)
    }

    /// A failure of a system call, with the system's text for `errno`.
    public static func errno(_ kind: Kind, path: String, _ what: String) -> Failure {
        Failure(kind, path: path, "\(what): \(unsafe String(cString: strerror(Platform.errno)))")
    }

    /// Adds the file, and the byte offset in it, to a failure of a lower level that did not know them. `subject` is the
    /// part of the file: "record 17".
    public func within(_ path: String, offset: Int? = nil, _ subject: String) -> Failure {
        guard self.path == nil else { return self }
        let what = kind == .data ? "\(subject) \(what)" : what
        return Failure(kind, path: path, location: offset.map { "byte \($0)" } ?? location, what, remedy: remedy)
    }

    public var description: String {
        let text = remedy.map { "\(what); \($0)" } ?? what
        return [path, location, text].compactMap { $0 }.joined(separator: ": ")
    }
}

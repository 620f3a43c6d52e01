import ToolSupport

/// The arguments of `make`, read from `MAKEFLAGS`. make passes on its options and command-line variables there in
/// unexpanded form.
///
///     n -- DATA=a&b.tar EPOCHS=3
///
/// In a value, a space or backslash is preceded by a backslash, and a dollar sign is doubled (GNU make 4.3,
/// `quote_for_env`).
public struct MakeFlags: Sendable, Equatable {
    public struct Assignment: Sendable, Equatable {
        public var name: String
        public var value: String
    }

    /// make's options in the form that another make takes, without the variables.
    public let options: String
    public let assignments: [Assignment]

    /// make's single-letter options without values.
    var letters: Set<Character> { options.hasPrefix("-") ? [] : Set(options.prefix { $0 != " " }) }

    /// Whether make only prints what it would do (`-n`).
    public var onlyTells: Bool { letters.contains("n") }

    /// Whether make rebuilds everything (`-B`).
    public var doesAll: Bool { letters.contains("B") }

    /// - Throws: ``Failure`` `usage` for options that would make unfinished stages count as finished, or that do not
    ///   work here.
    func checkOptions() throws {
        // With -e make does not even pass on the typed variables.
        for (letter, what, remedy) in [
            ("e", "takes settings from the environment", "leave it out; settings come from the command line or the run"),
            ("t", "marks unfinished stages as done", "leave it out"), ("i", "continues after a failed stage, which the next ones need", "leave it out"),
            ("q", "cannot tell whether all is done", "run make check"),
        ] as [(Character, String, String)] where letters.contains(letter) {
            throw Failure(.usage, "make -\(letter) \(what)", remedy: remedy)
        }
    }

    public init(_ text: String) {
        let words = MakeFlags.words(text)
        let mark = words.firstIndex { $0.raw == "--" }
        options = words[..<(mark ?? words.count)].map(\.raw).joined(separator: " ")
        var assignments: [Assignment] = []
        // make lists the variables in reverse order.
        for word in words[(mark.map { $0 + 1 } ?? words.count)...].reversed() {
            let parts = word.plain.parts("=", most: 2)
            guard parts.count == 2 else { continue }
            // make writes `NAME:=value` if it was typed this way.
            let name = String(parts[0].prefix { !":+?!".contains($0) })
            assignments.removeAll { $0.name == name }
            assignments.append(Assignment(name: name, value: parts[1]))
        }
        self.assignments = assignments
    }

    /// The flags as if these variables had been typed.
    init(_ values: [String: String]) {
        options = ""
        assignments = values.sorted { $0.key < $1.key }.map { Assignment(name: $0.key, value: $0.value) }
    }

    /// The typed value of a variable; nil if it was not typed.
    public func value(of name: String) -> String? { assignments.first { $0.name == name }?.value }

    private static func words(_ text: String) -> [(raw: String, plain: String)] {
        var words: [(raw: String, plain: String)] = []
        var (raw, plain) = (String.UnicodeScalarView(), String.UnicodeScalarView())
        var scalars = text.unicodeScalars.makeIterator()
        func end() {
            if !raw.isEmpty { words.append((String(raw), String(plain))) }
            (raw, plain) = (.init(), .init())
        }
        while let scalar = scalars.next() {
            raw.append(scalar)
            switch scalar {
            case " ", "\t":
                raw.removeLast()
                end()
            case "\\", "$":
                guard let next = scalars.next() else { return words }
                raw.append(next)
                plain.append(next)
            default: plain.append(scalar)
            }
        }
        end()
        return words
    }
}

import TensorStreams
import ToolSupport

/// What a person, or a script, is told about a file: written to standard output as it is read.
struct Report: ~Copyable {
    private var output: OutputFile
    private let input: TensorInput
    private let name: String
    private let json: Bool
    private let check: Bool
    /// The tensors to show; all where empty.
    private let wanted: [String]
    private var records = 0
    private var tensors = 0

    init(_ input: TensorInput, path: String, json: Bool, check: Bool, tensors: [String]) throws {
        output = try OutputFile(OutputFile.standard)
        self.input = input
        name = path == OutputFile.standard ? "standard input" : path
        self.json = json
        self.check = check
        wanted = tensors
    }

    /// Writes what a stream's header says.
    mutating func start() throws {
        if !check, case .stream(let reader) = input {
            try head("tensor stream", reader.header.provenance, reader.header.metadata)
        }
    }

    /// A whole file of one document.
    mutating func document(_ document: TensorDocument) throws {
        tensors = document.tensors.count
        guard !check else { return }
        var metadata = document.metadata
        let provenance = Provenance(text: metadata.removeValue(forKey: "provenance") ?? "")
        try head("document", provenance, metadata)
        if json {
            try line(["tensors": described(document)])
        } else {
            try table(document)
        }
    }

    /// One record of a stream.
    mutating func record(_ document: TensorDocument, number: Int) throws {
        records += 1
        tensors += document.tensors.count
        guard !check else { return }
        if json {
            try line(["record": .integer(Int64(number)), "metadata": Report.json(document.metadata), "tensors": described(document)])
        } else {
            let remarks = document.metadata.sorted { $0.key < $1.key }.map { ", \(Report.shown($0.key)) \(Report.shown($0.value))" }
            try output.write("record \(number)\(remarks.joined())\n")
            try table(document)
        }
    }

    /// The closing line: counts. `isPart` where not all records were to be shown.
    consuming func finish(isPart: Bool) throws {
        var counts: JSON.Object = [:]
        let text: String
        switch input {
        case .stream(let reader):
            counts["records"] = .integer(Int64(records))
            counts["whole"] = .bool(!isPart)
            counts["bytes"] = .integer(Int64(reader.position))
            text = isPart
                ? "\(Report.counted(records, "record")) shown"
                : "\(Report.counted(records, "record")), \(Report.size(reader.position)), uncompressed \(Report.size(reader.contentBytes))"
        case .document:
            text = "\(Report.counted(tensors, "tensor")), \(Report.size(values(input)))"
        }
        counts["tensors"] = .integer(Int64(tensors))
        if check { counts["ok"] = true }
        if json {
            try line(.object(counts))
        } else {
            try output.write(check ? "\(Report.shown(name)): ok, \(text)\n" : "\(text)\n")
        }
        try output.commit()
    }

    private func values(_ input: TensorInput) -> Int {
        guard case .document(let document) = input else { return 0 }
        return document.tensors.values.reduce(0) { $0 + $1.byteCount }
    }

    private mutating func head(_ kind: String, _ provenance: Provenance, _ metadata: [String: String]) throws {
        if json {
            return try line([
                "file": .string(name), "kind": .string(kind), "provenance": .array(provenance.lines.map { .string($0) }),
                "metadata": Report.json(metadata),
            ])
        }
        var text = "\(Report.shown(name)): \(kind)\n"
        for (number, line) in provenance.lines.enumerated() { text += (number == 0 ? "made by  " : "         ") + Report.shown(line) + "\n" }
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { text += "\(Report.shown(key)): \(Report.shown(value))\n" }
        try output.write(text)
    }

    private func names(_ document: TensorDocument) throws -> [String] {
        for name in wanted where document.tensors[name] == nil {
            throw document.failure("has no tensor '\(name)'; it has \(document.tensors.isEmpty ? "no tensors" : listed(document.names, quote: ""))")
        }
        return wanted.isEmpty ? document.names : wanted
    }

    private mutating func table(_ document: TensorDocument) throws {
        let rows = try names(document).map { name -> [String] in
            guard let tensor = document.tensors[name] else { return [] }
            return [Report.shown(name), tensor.dtype.rawValue, "\(tensor.shape)", Report.text(TensorStatistics(tensor))]
        }
        let widths = (0..<3).map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = (0..<3).map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].count) }
            try output.write("  \(cells.joined(separator: "  "))  \(row[3])\n")
        }
    }

    private func described(_ document: TensorDocument) throws -> JSON {
        var object = JSON.Object()
        for name in try names(document) {
            guard let tensor = document.tensors[name] else { continue }
            let statistics = TensorStatistics(tensor)
            object[name] = [
                "dtype": .string(tensor.dtype.rawValue), "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
                "min": Report.number(statistics.range?.lowerBound), "max": Report.number(statistics.range?.upperBound),
                "mean": Report.number(statistics.mean),
                "nan": .integer(Int64(statistics.nans)), "infinite": .integer(Int64(statistics.infinities)),
            ]
        }
        return .object(object)
    }

    private mutating func line(_ json: JSON) throws { try output.write(json.text + "\n") }

    // MARK: Words

    private static func text(_ statistics: TensorStatistics) -> String {
        var text = "no numbers"
        if let range = statistics.range, let mean = statistics.mean {
            text = range.lowerBound == range.upperBound
                ? "all \(short(mean))" : "\(short(range.lowerBound)) to \(short(range.upperBound)), mean \(short(mean))"
        }
        if statistics.nans > 0 { text += ", \(statistics.nans) NaN" }
        if statistics.infinities > 0 { text += ", \(statistics.infinities) infinite" }
        return text
    }

    /// Five figures; whole numbers whole.
    private static func short(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int(value))" }
        let magnitude = abs(value)
        if magnitude >= 1e6 || magnitude < 1e-3 { return "\(Float(value))" }
        return Progress.fixed(value, magnitude >= 1000 ? 1 : magnitude >= 10 ? 3 : 5)
    }

    private static func number(_ value: Double?) -> JSON { value.map { .number($0) } ?? .null }

    private static func json(_ metadata: [String: String]) -> JSON {
        var object = JSON.Object()
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { object[key] = .string(value) }
        return .object(object)
    }

    private static func counted(_ count: Int, _ thing: String) -> String { "\(count) \(thing)\(count == 1 ? "" : "s")" }

    private static func size(_ bytes: Int) -> String {
        bytes < 1000 ? "\(bytes) bytes" : bytes < 1_000_000 ? "\(Progress.short(Double(bytes) / 1e3)) kB" : "\(Progress.short(Double(bytes) / 1e6)) MB"
    }

    /// What a file says about itself may hold anything: controls must not reach the terminal, and a list of a thousand
    /// classes is cut.
    private static func shown(_ text: String) -> String {
        let visible = text.printable
        return visible.count > 400 ? "\(visible.prefix(400))… (\(text.utf8.count) bytes)" : visible
    }
}

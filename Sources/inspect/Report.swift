import TensorStreams
import ToolSupport

/// The report about a file, for people or scripts. It is written to standard output while the file is read.
struct Report: ~Copyable {
    private var output: OutputFile
    private let input: TensorInput?
    /// The kind of a file of another program; nil for our own formats.
    private let kind: String?
    /// Total bytes of the document's tensors.
    private var bytes = 0
    private let name: String
    private let json: Bool
    private let isSilent: Bool
    private let isQuiet: Bool
    private var records = 0
    private var tensors = 0

    /// - Parameters:
    ///   - input: nil for a file of another program.
    ///   - kind: the kind of that file.
    ///   - isSilent: whether to write only the closing line.
    ///   - isQuiet: whether to omit the closing line too if `isSilent`.
    init(_ input: TensorInput?, path: String, kind: String?, json: Bool, isSilent: Bool, isQuiet: Bool) throws {
        output = try OutputFile(OutputFile.standard)
        (self.input, self.kind) = (input, kind)
        name = path == OutputFile.standard ? "standard input" : path
        self.json = json
        self.isSilent = isSilent
        self.isQuiet = isQuiet
    }

    /// Writes the header of a stream.
    mutating func start() throws {
        if !isSilent, case .stream(let reader) = input {
            try head("tensor stream", reader.header.provenance, reader.header.metadata)
        }
    }

    /// Writes the only document of a file.
    mutating func document(_ document: borrowing Inspection) throws {
        tensors = document.tensorCount
        guard !isSilent else { return }
        var metadata = document.metadata
        let provenance = Provenance(text: metadata.removeValue(forKey: "provenance") ?? "")
        bytes = document.tensors.reduce(0) { $0 + $1.outline.byteCount }
        try head(kind ?? "document", provenance, metadata)
        if json {
            try line(["tensors": described(document.tensors)])
        } else {
            try table(document.tensors)
        }
    }

    /// Writes one record of a stream.
    mutating func record(_ document: borrowing Inspection, number: Int) throws {
        records += 1
        tensors += document.tensorCount
        guard !isSilent else { return }
        if json {
            try line(["record": .integer(Int64(number)), "metadata": Report.json(document.metadata), "tensors": described(document.tensors)])
        } else {
            let remarks = document.metadata.sorted { $0.key < $1.key }.map { ", \(Report.shown($0.key)) \(Report.shown($0.value))" }
            try output.write("record \(number)\(remarks.joined())\n")
            try table(document.tensors)
        }
    }

    /// Writes the closing line with the counts. `isPart` tells whether only some records were to be shown.
    consuming func finish(isPart: Bool) throws {
        var counts: JSON.Object = [:]
        var text: String
        switch input {
        case .stream(let reader):
            counts["records"] = .integer(Int64(records))
            counts["whole"] = .bool(!isPart)
            counts["bytes"] = .integer(Int64(reader.position))
            if isPart {
                text = "\(Report.counted(records, "record")) shown; checksum of the whole not verified"
                counts["checksum"] = "not verified"
            } else {
                text = "\(Report.counted(records, "record")), \(Report.size(reader.position)), uncompressed \(Report.size(reader.contentBytes))"
                text += verdict(reader.hasChecksum)
                counts["checksum"] = reader.hasChecksum ? "verified" : "has none"
            }
        case nil:
            text = "\(Report.counted(tensors, "tensor")), \(Report.size(bytes))"
            text += verdict(false)
            counts["checksum"] = "has none"
        case .document(let reader):
            text = "\(Report.counted(tensors, "tensor")), \(Report.size(reader.outline.tensors.reduce(0) { $0 + $1.byteCount }))"
            text += verdict(reader.hasChecksum)
            counts["checksum"] = reader.hasChecksum ? "verified" : "has none"
        }
        counts["tensors"] = .integer(Int64(tensors))
        if isSilent { counts["ok"] = true }
        if isSilent && isQuiet {
            // The exit status is the result.
        } else if json {
            try line(.object(counts))
        } else {
            try output.write(isSilent ? "\(Report.shown(name)): ok, \(text)\n" : "\(text)\n")
        }
        try output.commit()
    }

    private func verdict(_ hasChecksum: Bool) -> String { hasChecksum ? ", checksum verified" : ", no checksum" }

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

    private mutating func table(_ tensors: [ShownTensor]) throws {
        var table = TextTable(tensors.map { ["  " + Report.shown($0.outline.name), $0.outline.dtype.rawValue, "\($0.outline.shape)", Report.text($0.statistics)] })
        table.leftColumns = [0, 1, 2, 3]
        try output.write(table.text)
    }

    private func described(_ tensors: [ShownTensor]) -> JSON {
        var object = JSON.Object()
        for tensor in tensors {
            let (outline, statistics) = (tensor.outline, tensor.statistics)
            object[outline.name] = [
                "dtype": .string(outline.dtype.rawValue), "shape": .array(outline.shape.map { .integer(Int64($0)) }),
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

    /// Five significant digits; whole numbers without decimals.
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

    /// Text from the file, made safe for the terminal: control characters are replaced, and long text, such as a list
    /// of a thousand classes, is cut.
    private static func shown(_ text: String) -> String {
        let visible = text.printable
        return visible.count > 400 ? "\(visible.prefix(400))… (\(text.utf8.count) bytes)" : visible
    }
}

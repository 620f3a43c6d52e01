public import TensorStreams
import ToolSupport

/// The summary of a distillation: accuracies of teacher and student, time of the stages, paths of the files.
public struct ClosingTable: Sendable {
    /// A number (in percent where its column holds shares) and the protocol that it comes from.
    struct Cell: Sendable {
        var value: Double
        var protocolName: String
    }

    struct Row: Sendable {
        var name: String
        var cells: [Column: Cell] = [:]
    }

    enum Column: String, Sendable, CaseIterable {
        case classifier1 = "classifier_top1"
        case classifier5 = "classifier_top5"
        case knn = "knn_top1"
        case embedding = "embedding_knn_top1"
        case linear1 = "linear_top1"
        case linear5 = "linear_top5"
        case agreement
        case rank = "effective_rank"
        case deviation
        case uniformity

        /// Precedes the protocol that the numbers come from.
        var protocolTitle: String {
            switch self {
            case .classifier1, .classifier5: "classifier"
            case .knn: "k-NN"
            case .embedding: "embedding k-NN"
            case .linear1, .linear5: "linear"
            case .agreement: "neighbours"
            case .rank, .deviation, .uniformity: "told apart"
            }
        }

        func title(k: Int) -> String {
            switch self {
            case .classifier1: "classifier top-1"
            case .classifier5: "classifier top-5"
            case .knn: "k-NN top-1 (k=\(k))"
            case .embedding: "embedding k-NN"
            case .linear1: "linear top-1"
            case .linear5: "linear top-5"
            case .agreement: "teacher's neighbours (k=\(k))"
            case .rank: "effective rank"
            case .deviation: "deviation"
            case .uniformity: "uniformity"
            }
        }

        func text(_ value: Double) -> String {
            switch self {
            case .rank: Progress.fixed(value, 1)
            case .deviation: Progress.fixed(value, 3)
            case .uniformity: Progress.fixed(value, 2)
            default: Progress.fixed(value, 1) + " %"
            }
        }

        /// The column whose protocol note covers this column's numbers too.
        var told: Column {
            switch self {
            case .classifier5: .classifier1
            case .linear5: .linear1
            case .rank, .uniformity: .deviation
            default: self
            }
        }
    }

    struct Stage: Sendable {
        var name: String
        var seconds = 0.0
        var images = 0.0
        /// Images per second; nil where nothing was timed.
        var rate: Double? { seconds > 0 ? images / seconds : nil }
    }

    /// The k of the k-NN columns.
    public let k: Int
    private var rows: [Row] = []
    private var stages: [Stage] = []
    private var files: [(name: String, path: String)] = []
    /// For each network, one column's number after some of its epochs.
    private var curves: [(name: String, column: Column, points: [(epoch: Int, value: Double)])] = []
    /// Further lines that explain how the numbers were obtained, besides their protocols.
    private var further: [String] = []
    /// The remarks of the evaluations, each once, with the rows that each applies to.
    private var remarks: [(text: String, rows: [String])] = []

    public init(k: Int = 10) { self.k = k }

    /// Puts the numbers of a result, as `evaluate` wrote it, into the row `name`.
    ///
    /// - Parameter isEmbedding: whether the k-NN number goes to the column for embeddings.
    /// - Throws: a ``Failure`` that names the file: not readable, not JSON, not a result of `evaluate`.
    public mutating func add(row name: String, result path: String, isEmbedding: Bool = false) throws {
        let wrong = Failure(.data, path: path, "is not a result of 'evaluate knn', 'evaluate linear', 'evaluate accuracy' or 'evaluate quality'")
        let json = try JSONFile.read(path), kind = json["evaluation"]?.asString
        guard let results = json["results"]?.asArray ?? (kind == "quality" ? [] : nil) else { throw wrong }
        var cells: [Column: Cell] = [:]
        switch kind {
        case "quality":
            guard !isEmbedding else { throw wrong }
            cells = try qualities(json, wrong)
        case "knn": cells[isEmbedding ? .embedding : .knn] = try cell(majority(results, path), "top1", wrong)
        case "linear", "classifier":
            guard let result = results.first, !isEmbedding else { throw wrong }
            let (first, fifth): (Column, Column) = kind == "linear" ? (.linear1, .linear5) : (.classifier1, .classifier5)
            cells[first] = try cell(result, "top1", wrong)
            // With five classes or fewer there is no top-5.
            if result["top5"] != .null { cells[fifth] = try cell(result, "top5", wrong) }
        default:
            throw wrong
        }
        let index = rows.firstIndex { $0.name == name } ?? rows.count
        if index == rows.count { rows.append(Row(name: name)) }
        rows[index].cells.merge(cells) { _, new in new }
        for text in json["remarks"]?.asArray?.compactMap(\.asString) ?? [] { add(remark: text, of: name) }
    }

    /// The result of 'evaluate knn' that goes into the k-NN columns.
    private func majority(_ results: [JSON], _ path: String) throws -> JSON {
        // With a training set smaller than k, fewer neighbours were used.
        let votes = results.filter { $0["vote"]?.asString == "majority" }, counts = votes.compactMap { $0["k"]?.asInteger }
        guard let nearest = counts.contains(k) ? k : counts.filter({ $0 < k }).max(), let result = votes.first(where: { $0["k"]?.asInteger == nearest }) else {
            let found = counts.map { "\($0)" }.joined(separator: ", ")
            throw Failure(.data, path: path, "has no majority vote for k = \(k), only for \(found)", remedy: "run 'evaluate knn' with --k \(k)")
        }
        return result
    }

    /// The columns of a result of 'evaluate quality'.
    private func qualities(_ json: JSON, _ wrong: Failure) throws -> [Column: Cell] {
        guard let samples = json["samples"]?["samples"]?.asInteger, let dimension = json["protocol"]?["dimension"]?.asInteger, let deviation = json["deviation"]?.asNumber else { throw wrong }
        let of = "of \(samples) images", name = "effective rank \(of), of \(dimension) dimensions; deviation as a share of what evenly spread directions have; uniformity, the lower the more even"
        var cells: [Column: Cell] = [.deviation: Cell(value: deviation, protocolName: name)]
        // Where all rows are equal there is no effective rank.
        cells[.rank] = json["spread"]?["effective_rank"]?.asNumber.map { Cell(value: $0, protocolName: name) }
        cells[.uniformity] = json["uniformity"]?.asNumber.map { Cell(value: $0, protocolName: name) }
        let agreements = json["agreement"]?.asArray ?? [], counts = agreements.compactMap { $0["k"]?.asInteger }
        // With fewer images than k, there are fewer neighbours.
        if let nearest = counts.contains(k) ? k : counts.max(), let share = agreements.first(where: { $0["k"]?.asInteger == nearest })?["share"]?.asNumber {
            cells[.agreement] = Cell(value: 100 * share, protocolName: "the share of the teacher's \(nearest) nearest \(of) that are the network's too, cosine")
        }
        return cells
    }

    /// Adds a network's quality after one of its epochs, from a result of 'evaluate knn' or 'evaluate quality'.
    public mutating func add(along name: String, epoch: Int, result path: String) throws {
        let wrong = Failure(.data, path: path, "is not a result of 'evaluate knn' or 'evaluate quality'"), json = try JSONFile.read(path)
        let column: Column, value: Double
        switch json["evaluation"]?.asString {
        case "knn":
            guard let results = json["results"]?.asArray else { throw wrong }
            (column, value) = (.knn, try cell(majority(results, path), "top1", wrong).value)
        case "quality":
            let cells = try qualities(json, wrong)
            column = cells[.agreement] == nil ? .deviation : .agreement
            guard let cell = cells[column] else { throw wrong }
            value = cell.value
        default: throw wrong
        }
        let index = curves.firstIndex { $0.name == name && $0.column == column } ?? curves.count
        if index == curves.count { curves.append((name, column, [])) }
        curves[index].points.append((epoch, value))
    }

    private mutating func add(remark text: String, of row: String) {
        guard let index = remarks.firstIndex(where: { $0.text == text }) else { return remarks.append((text, [row])) }
        if !remarks[index].rows.contains(row) { remarks[index].rows.append(row) }
    }

    private func cell(_ result: JSON, _ key: String, _ wrong: Failure) throws -> Cell {
        guard let percent = result[key]?.asNumber, let name = result["protocol"]?.asString else { throw wrong }
        return Cell(value: percent, protocolName: name)
    }

    /// Adds the time of a stage: the sums of `seconds` and `images` over the JSON values in the file, either one or one
    /// per line.
    ///
    /// Lines without both are skipped, so a training log may hold other values too.
    public mutating func add(stage name: String, timing path: String) throws {
        let index = stages.firstIndex { $0.name == name } ?? stages.count
        var stage = index < stages.count ? stages[index] : Stage(name: name)
        var found = false
        for json in try JSONFile.readLines(path) {
            guard let seconds = json["seconds"]?.asNumber, let images = json["images"]?.asNumber else { continue }
            guard seconds >= 0, images >= 0 else { throw Failure(.data, path: path, "has negative seconds or images") }
            stage.seconds += seconds
            stage.images += images
            found = true
        }
        guard found else { throw Failure(.data, path: path, "holds no JSON object with both 'seconds' and 'images'") }
        if index == stages.count { stages.append(stage) } else { stages[index] = stage }
    }

    /// Adds a file to the last lines.
    public mutating func add(file name: String, path: String) { files.append((name, path)) }

    /// Adds a line that explains how the numbers were obtained.
    public mutating func add(note: String) { further.append(note) }

    /// The columns that at least one row has.
    private var columns: [Column] {
        Column.allCases.filter { column in rows.contains { $0.cells[column] != nil } }
    }

    /// The table as text for people. Names and texts of results come from arbitrary files, so they are escaped.
    public var text: String {
        var parts: [String] = []
        if !rows.isEmpty {
            parts.append(TextTable(grid.map { [$0[0].printable] + $0.dropFirst() }).text)
            parts.append((protocols + course + told + further).map { "\($0.printable)\n" }.joined())
        }
        if !stages.isEmpty { parts.append(TextTable(stageGrid.map { [$0[0].printable] + $0.dropFirst() }).text) }
        if !files.isEmpty {
            var lines = TextTable(files.map { [$0.name.printable, $0.path.printable] })
            lines.leftColumns = [0, 1]
            parts.append(lines.text)
        }
        return parts.joined(separator: "\n")
    }

    /// A line of titles, and a line for each row; "–" where a row lacks the number.
    public var grid: [[String]] {
        [[""] + columns.map { $0.title(k: k) }] + rows.map { row in [row.name] + columns.map { column in row.cells[column].map { column.text($0.value) } ?? "–" } }
    }

    /// The same grid for the stages.
    public var stageGrid: [[String]] {
        [["", "time", "images", "images/s"]] + stages.map { [$0.name, Progress.duration($0.seconds), Progress.fixed($0.images, 0), $0.rate.map(Progress.short) ?? "–"] }
    }

    /// Explanations of the numbers, one per line.
    public var notes: [String] { protocols + told + further }

    /// For each network that was evaluated during training, one column's number after some of its epochs, and the
    /// column's title.
    public var courses: [(name: String, title: String, points: [(epoch: Int, value: Double)])] { curves.map { ($0.name, $0.column.title(k: k), $0.points) } }

    /// The number of a row in the column with that title.
    public func number(row name: String, title: String) -> Double? {
        guard let row = rows.first(where: { $0.name == name }) else { return nil }
        return columns.first { $0.title(k: k) == title }.flatMap { row.cells[$0]?.value }
    }

    /// How each column's numbers were obtained; rows that agree share a line.
    private var protocols: [String] {
        columns.filter { $0.told == $0 }.flatMap { column in
            var groups: [(protocolName: String, rows: [String])] = []
            for row in rows {
                guard let name = row.cells[column]?.protocolName else { continue }
                if let index = groups.firstIndex(where: { $0.protocolName == name }) { groups[index].rows.append(row.name) } else { groups.append((name, [row.name])) }
            }
            let title = column.protocolTitle
            return groups.map { groups.count == 1 ? "\(title): \($0.protocolName)" : "\(title), \($0.rows.joined(separator: ", ")): \($0.protocolName)" }
        }
    }

    /// The learning curves of the networks.
    private var course: [String] {
        curves.map { curve in
            let title = curve.column == .knn ? "k-NN top-1" : curve.column.title(k: k)
            return "\(curve.name), \(title) after epochs " + curve.points.map { "\($0.epoch): \(curve.column.text($0.value))" }.joined(separator: ", ")
        }
    }

    /// The remarks, with the rows that they apply to unless they apply to all.
    private var told: [String] {
        remarks.map { $0.rows.count == rows.count ? "remark: \($0.text)" : "remark, \($0.rows.joined(separator: ", ")): \($0.text)" }
    }

    public var json: JSON {
        [
            "evaluation": "table", "version": .string(productVersion), "k": .integer(Int64(k)),
            "rows": .array(rows.map { row in
                var object = JSON.Object()
                object["name"] = .string(row.name)
                for column in Column.allCases {
                    guard let cell = row.cells[column] else { continue }
                    object[column.rawValue] = .number(cell.value)
                    object[column.rawValue + "_protocol"] = .string(cell.protocolName)
                }
                return .object(object)
            }),
            "along": .array(curves.map { curve in
                [
                    "name": .string(curve.name),
                    curve.column.rawValue: .array(curve.points.map { ["epoch": .integer(Int64($0.epoch)), (curve.column == .knn ? "top1" : "value"): .number($0.value)] }),
                ]
            }),
            "stages": .array(stages.map { stage in
                ["name": .string(stage.name), "seconds": .number(stage.seconds), "images": .number(stage.images),
                 "images_per_second": stage.rate.map { .number($0) } ?? .null]
            }),
            "remarks": .array(remarks.map { ["text": .string($0.text), "rows": .array($0.rows.map { .string($0) })] }),
            "files": .array(files.map { ["name": .string($0.name), "path": .string($0.path)] }),
        ]
    }
}

import Platform
import ToolSupport

/// The results of networks, night by night, in a SQLite file that any program may read.
///
/// | `night`          |                                                                     |
/// |------------------|---------------------------------------------------------------------|
/// | `id`             | 1, 2, 3 …: their order, whatever the clock said                     |
/// | `began`, `ended` | clock time, UTC, ISO 8601; `ended` is null for an interrupted night |
/// | `version`        | the version of the tools                                            |
///
/// | `result`                      |                                                                                    |
/// |-------------------------------|------------------------------------------------------------------------------------|
/// | `night`                       | the night of the result                                                            |
/// | `run`, `network`, `epoch`     | the network, and the number of epochs it has trained                               |
/// | `identity`                    | a hash of all inputs of the result: data, options, teacher, student, version       |
/// | `test`                        | a hash of the images that are evaluated, and how                                   |
/// | `measure`, `value`, `samples` | the measure, its value in percent, and the number of images                        |
/// | `correct`                     | one bit per image (1: correct), four per hexadecimal digit; null if not applicable |
/// | `protocol`                    | the evaluation protocol, in words                                                  |
public final class History {
    public struct Result: Sendable, Equatable {
        public var run: String
        public var network: String
        public var epoch: Int
        public var identity: String
        public var test: String
        public var measure: String
        public var value: Double
        public var samples: Int
        public var correct: String?
        public var protocolName: String

        public init(run: String, network: String, epoch: Int, identity: String, test: String, measure: String, value: Double, samples: Int, correct: String?, protocolName: String) {
            (self.run, self.network, self.epoch, self.identity, self.test) = (run, network, epoch, identity, test)
            (self.measure, self.value, self.samples, self.correct, self.protocolName) = (measure, value, samples, correct, protocolName)
        }
    }

    public struct Night: Sendable, Equatable {
        public var id: Int
        public var began: String
        public var ended: String?
    }

    /// The version of the file's layout, in SQLite's `user_version`.
    private static let version = 1
    /// "SEED", in SQLite's `application_id`.
    private static let application = 0x5345_4544

    private let database: Database
    private let path: String
    /// Whether the file existed and was empty: it was truncated, or a history was about to begin.
    public let wasEmpty: Bool

    /// Opens the history, or creates one.
    ///
    /// - Throws: ``Failure``: `data` for a file that is not a complete history, or that has a newer layout version.
    public init(_ path: String) throws {
        self.path = path
        wasEmpty = unsafe access(path, F_OK) == 0 && History.size(of: path) == 0
        database = try Database(path)
        // Transactions survive a power failure.
        try database.run("PRAGMA synchronous = FULL")
        // The missing end of a truncated file may consist of unused pages, so compare the sizes too.
        let size = try number("PRAGMA page_count") * number("PRAGMA page_size"), hasAll = History.size(of: path) >= size
        guard try database.run("PRAGMA quick_check").first == [.text("ok")], hasAll else {
            throw Failure(.data, path: path, "is not an intact database", remedy: "restore a backup, or move it away to start a new one")
        }
        let version = try number("PRAGMA user_version"), application = try number("PRAGMA application_id"), tables = try number("SELECT count(*) FROM sqlite_master")
        if version == 0, application == 0, tables == 0 {
            try begin()
            return
        }
        guard application == History.application else { throw Failure(.data, path: path, "is a database of another program", remedy: "name another file with HISTORY") }
        guard version <= History.version else {
            throw Failure(.data, path: path, "has version \(version), but this program supports \(History.version)", remedy: "use the newer program that wrote it")
        }
    }

    private static func size(of path: String) -> Int {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    private func begin() throws {
        try database.together {
            try database.run("CREATE TABLE night (id INTEGER PRIMARY KEY, began TEXT NOT NULL, ended TEXT, version TEXT NOT NULL)")
            try database.run("""
                CREATE TABLE result (night INTEGER NOT NULL REFERENCES night, run TEXT NOT NULL, network TEXT NOT NULL, epoch INTEGER NOT NULL, identity TEXT NOT NULL, test TEXT NOT NULL, \
                measure TEXT NOT NULL, value REAL NOT NULL, samples INTEGER NOT NULL, correct TEXT, protocol TEXT NOT NULL, PRIMARY KEY (night, run, network))
                """)
            try database.run("PRAGMA application_id = \(History.application)")
            try database.run("PRAGMA user_version = \(History.version)")
        }
    }

    private func number(_ statement: String) throws -> Int {
        guard case .integer(let value)? = try database.run(statement).first?.first else { return 0 }
        return Int(value)
    }

    /// Begins a night, or continues the last one if it was interrupted.
    ///
    /// - Parameter now: the clock time.
    public func beginNight(_ now: String) throws -> (night: Night, goesOn: Bool) {
        if let last = try nights().last, last.ended == nil { return (last, true) }
        try database.run("INSERT INTO night (began, version) VALUES (?, ?)", [.text(now), .text(productVersion)])
        guard let night = try nights().last else { throw Failure(.data, path: path, "did not keep the night that was begun") }
        return (night, false)
    }

    public func end(_ night: Night, _ now: String) throws { try database.run("UPDATE night SET ended = ? WHERE id = ?", [.text(now), .integer(Int64(night.id))]) }

    /// All nights, in order.
    public func nights() throws -> [Night] {
        try database.run("SELECT id, began, ended FROM night ORDER BY id").map { row in
            guard case .integer(let id) = row[0], case .text(let began) = row[1] else { throw odd() }
            return Night(id: Int(id), began: began, ended: { if case .text(let ended) = row[2] { ended } else { nil } }())
        }
    }

    /// Adds a result to a night. It replaces an earlier result of the same network in that night.
    public func add(_ result: Result, in night: Night) throws {
        try database.run(
            "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                .integer(Int64(night.id)), .text(result.run), .text(result.network), .integer(Int64(result.epoch)), .text(result.identity), .text(result.test), .text(result.measure),
                .number(result.value), .integer(Int64(result.samples)), result.correct.map { .text($0) } ?? .null, .text(result.protocolName),
            ])
    }

    /// The results of one network, or of all, ordered by night.
    ///
    /// ``Result/correct`` is nil because of its size: see ``correct(_:night:)``.
    public func results(run: String? = nil, network: String? = nil) throws -> [(night: Int, result: Result)] {
        let (filter, values) = run.map { run in (" WHERE run = ?" + (network == nil ? "" : " AND network = ?"), [.text(run)] + (network.map { [.text($0)] } ?? [])) } ?? ("", [Database.Value]())
        return try database.run("SELECT night, run, network, epoch, identity, test, measure, value, samples, protocol FROM result\(filter) ORDER BY night, run, network", values).map { row in
            guard row.count == 10, case .integer(let night) = row[0], case .text(let run) = row[1], case .text(let network) = row[2], case .integer(let epoch) = row[3],
                case .text(let identity) = row[4], case .text(let test) = row[5], case .text(let measure) = row[6], case .integer(let samples) = row[8], case .text(let name) = row[9]
            else { throw odd() }
            let value: Double
            switch row[7] {
            case .number(let number): value = number
            case .integer(let number): value = Double(number)
            default: throw odd()
            }
            return (
                Int(night),
                Result(
                    run: run, network: network, epoch: Int(clamping: epoch), identity: identity, test: test, measure: measure, value: value, samples: Int(clamping: samples),
                    correct: nil, protocolName: name)
            )
        }
    }

    /// Whether each image was correct, for a result of a night; nil if not known.
    public func correct(_ result: Result, night: Int) throws -> String? {
        let rows = try database.run("SELECT correct FROM result WHERE night = ? AND run = ? AND network = ?", [.integer(Int64(night)), .text(result.run), .text(result.network)])
        guard case .text(let bits)? = rows.first?.first else { return nil }
        return bits
    }

    private func odd() -> Failure { Failure(.data, path: path, "has a row that does not belong to a history", remedy: "restore a backup, or move it away to start a new one") }
}
